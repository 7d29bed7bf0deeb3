{#
    The named types of the house (DESIGN: exact on DuckDB, PostgreSQL and Spark alike).
    quantity x unit price is decimal(38,22) without loss; an overflow is an error everywhere.
#}
{% macro type_quantity() -%} decimal(28, 10) {%- endmacro %}
{% macro type_price() -%} decimal(20, 12) {%- endmacro %}
{% macro type_amount() -%} decimal(38, 22) {%- endmacro %}
{% macro type_total() -%} decimal(24, 4) {%- endmacro %}
{% macro type_integral() -%} decimal(38, 10) {%- endmacro %}
{% macro type_count() -%} bigint {%- endmacro %}
{% macro type_timestamp() -%} timestamp {%- endmacro %}
{% macro type_text() -%} text {%- endmacro %}

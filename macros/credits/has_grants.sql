{# Whether the catalogue grants any prepaid credits: else what draws on them compiles to nothing. #}
{% macro has_grants() -%}
    {{ return(has_rows(ref("stg_catalog__credit_grants"))) }}
{%- endmacro %}

{# The first posting day of the run: the first that is not sealed. #}
{% macro first_posting_date() -%}
    cast({{ sealed_until() }} as date)
{%- endmacro %}

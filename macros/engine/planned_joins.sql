{#
    A pre-hook of a model whose CTEs join on several columns that hang together: PostgreSQL takes
    each join of them for one row (nothing is known of a CTE), and then scans the one for each row of
    the other; 17,000 lines took it two minutes. With this it hashes or merges where it can. It holds
    for the model's own transaction.
#}
{% macro hash_joins_only() -%}
    {%- if target.type == "postgres" -%} set local enable_nestloop = off {%- endif -%}
{%- endmacro %}

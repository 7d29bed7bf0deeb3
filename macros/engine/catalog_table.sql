{#
    A table of the catalogue: the seed of that name, or the table of that name in the schema
    that the var catalog_schema names (an existing database that some other tool fills).
#}
{% macro catalog_table(name) -%}
    {%- if var("catalog_schema", "") -%}
        {{ return(api.Relation.create(
            database=target.database, schema=var("catalog_schema"), identifier=name
        )) }}
    {%- endif -%}
    {{ return(ref(name)) }}
{%- endmacro %}

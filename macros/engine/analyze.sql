{#
    Statistics of a table that was just filled, where the planner goes by them: PostgreSQL gathers
    none on its own before autovacuum comes by, and then joins a million rows by nested loops.
    Nothing on the engines that need none.
#}
{% macro analyze(relation) -%}
    {{ return(adapter.dispatch("analyze")(relation)) }}
{%- endmacro %}

{% macro default__analyze(relation) -%} {{ return("") }} {%- endmacro %}

{% macro postgres__analyze(relation) -%}
    {{ return("analyze " ~ relation) }}
{%- endmacro %}

{# Post-hook of every table. #}
{% macro analyze_this() -%}
    {{ return("" if model.config.materialized == "view" else analyze(this)) }}
{%- endmacro %}

{# At the start of a run: raw is filled by loaders, which do not. #}
{% macro analyze_raw() -%}
    {{ return(analyze(var("schema_prefix", "") ~ "raw.usage_events")) }}
{%- endmacro %}

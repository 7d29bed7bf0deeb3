{# Profiles whose level or latest value goes on from one period into the next. #}
{% macro carrying_profiles() -%}
    {%- set meters = ref("stg_catalog__meters") -%}
    {%- set found = [] -%}
    {%- if execute and flags.WHICH not in ["parse", "list", "ls"] -%}
        {%- for row in run_query(
            "select meter_profile from " ~ meters ~ " where carry_over order by meter_profile"
        ).rows -%}
            {%- do found.append({"meter_profile": row[0]}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(found) }}
{%- endmacro %}

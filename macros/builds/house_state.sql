{#
    What earlier runs left: one row per built load day, and the one row of the house's state. Both
    are written last by a run, so that a run that was killed counts as not having happened.
#}
{% macro earlier_built_days() -%}
    {%- set relation = earlier_relation("builds", "built_days") -%}
    {%- if relation is none -%}
        select
            cast(null as date) as load_day,
            cast(null as {{ type_count() }}) as landed_count
        where false
    {%- else -%}
        select load_day, landed_count from {{ relation }}
    {%- endif -%}
{%- endmacro %}

{% macro earlier_state() -%}
    {%- set relation = earlier_relation("builds", "house_state") -%}
    {%- if relation is none -%}
        select
            cast(null as date) as as_of_day,
            cast(null as {{ type_timestamp() }}) as close_at,
            cast(null as {{ type_text() }}) as inputs_hash
        where false
    {%- else -%}
        select as_of_day, close_at, inputs_hash from {{ relation }}
    {%- endif -%}
{%- endmacro %}

{# The last load day that an earlier run finished, as text; none when there is none. #}
{% macro last_built_day() -%}
    {%- set relation = earlier_relation("builds", "built_days") -%}
    {%- if relation is none -%} {{ return(none) }} {%- endif -%}
    {{ return(run_query("select max(load_day) from " ~ relation).rows[0][0]) }}
{%- endmacro %}

{#
    A day given by the user, checked, as a SQL date; `null` when it was not given. It comes as a var
    or, so that dbt need not parse the project anew, from the environment.
#}
{% macro day_var(name) -%}
    {%- set text = var(name, "") | string or env_var("TALLY_" ~ name | upper, "") -%}
    {%- if not text -%} {{ return("cast(null as date)") }} {%- endif -%}
    {%- if not modules.re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text) -%}
        {{ exceptions.raise_compiler_error(
            "var " ~ name ~ " is '" ~ text ~ "'; expected a day, YYYY-MM-DD"
        ) }}
    {%- endif -%}
    {{ return("cast('" ~ text ~ "' as date)") }}
{%- endmacro %}

{#
    One hash of the rows of a relation that a condition holds for, whatever their order: it changes
    when a row does.
#}
{% macro relation_hash(relation, condition="true") -%}
    (
        select coalesce(md5(string_agg(row_hash, '' order by row_hash)), '')
        from (
            select md5(cast(hashed as {{ type_text() }})) as row_hash
            from (select * from {{ relation }}) as hashed
            where {{ condition }}
        ) as row_hashes
    )
{%- endmacro %}

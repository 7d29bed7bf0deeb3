{#
    Stops a run that is about to post what is no longer so, in the transaction that posts: nothing is
    posted then, and run again it is. Nobody else posts or lands meanwhile.
    Raises a compiler error that says what came between.
#}
{% macro stop_at_what_came_between() -%}
    {%- if not execute or flags.WHICH not in ["build", "run", "retry"] -%}
        {{ return("") }}
    {%- endif -%}
    {%- if not run_query("select count(*) from " ~ this).rows[0][0] -%}
        {{ return("") }}
    {%- endif -%}
    {%- do lock_what_is_posted() -%}
    {%- set window = build_window() -%}
    {%- set sealed = run_query("select " ~ sealed_until_now() ~ " as sealed_until").rows[0][0] -%}
    {#- What is sealed that far already is posted, and post_to_ledger posts none of it again. -#}
    {%- if (sealed | string) != (window["sealed_until"] | string)
        and (sealed | string) < (window["close_at"] | string) -%}
        {{ exceptions.raise_compiler_error(
            "another build has closed up to " ~ sealed ~ " since this one began"
        ) }}
    {%- endif -%}
    {{ stop_at_usage_that_was_not_read() }}
{%- endmacro %}

{# Raw has other rows of a day that is to be sealed than those that were staged. #}
{% macro stop_at_usage_that_was_not_read() -%}
    {%- set query -%}
        with

        landed as (

            select cast(loaded_at as date) as load_day, count(*) as landed_count
            from {{ var("schema_prefix", "") }}raw.usage_events
            where loaded_at >= {{ sealed_until() }} and loaded_at < {{ close_at() }}
            group by cast(loaded_at as date)

        ),

        staged as (

            select load_day, sum(landed_count) as staged_count
            from {{ ref("stg_raw__load_counts") }}
            group by load_day

        )

        select landed.load_day
        from landed
        left join staged on landed.load_day = staged.load_day
        where landed.landed_count <> coalesce(staged.staged_count, 0)
        order by 1
        limit 1
    {%- endset -%}
    {%- for row in run_query(query).rows -%}
        {{ exceptions.raise_compiler_error(
            "usage of " ~ row["load_day"] ~ " came in while this build was closing that day"
        ) }}
    {%- endfor -%}
{%- endmacro %}

{# Until the transaction ends nobody else posts, and nobody lands. #}
{% macro lock_what_is_posted() -%}
    {{ return(adapter.dispatch("lock_what_is_posted")()) }}
{%- endmacro %}

{% macro default__lock_what_is_posted() -%}
    {{ exceptions.raise_compiler_error("locks are not written for " ~ target.type) }}
{%- endmacro %}

{# Its file belongs to one process. #}
{% macro duckdb__lock_what_is_posted() -%} {{ return("") }} {%- endmacro %}

{# A lock that holds loaders off needs rights on raw that not everybody who may read it has. #}
{% macro postgres__lock_what_is_posted() -%}
    {%- set usage_events = var("schema_prefix", "") ~ "raw.usage_events" -%}
    {%- do run_query(
        "lock table " ~ ledger_schema() ~ ".seals in share row exclusive mode"
    ) -%}
    {%- if run_query(
        "select has_table_privilege('" ~ usage_events ~ "', 'update, delete, truncate')"
    ).rows[0][0] -%}
        {%- do run_query("lock table " ~ usage_events ~ " in share mode") -%}
    {%- endif -%}
    {{ return("") }}
{%- endmacro %}

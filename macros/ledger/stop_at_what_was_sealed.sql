{#
    Stops a run whose inputs are no longer what closes were made from, before anything is built.
    `tally build` says the same with file, line and field (orchestration/archive.py).
    Raises a compiler error that names the first fault.
#}
{% macro stop_at_what_was_sealed() -%}
    {#- Read before any return: dbt learns from it what the model that calls this depends on. -#}
    {%- set rows = catalog_rows() -%}
    {%- if not execute or flags.WHICH not in ["build", "run"] -%} {{ return("") }} {%- endif -%}
    {%- if not run_query("select count(*) from " ~ ledger_schema() ~ ".seals").rows[0][0] -%}
        {{ return("") }}
    {%- endif -%}
    {{ stop_at_an_altered_archive(rows) }}
    {{ stop_at_usage_in_a_sealed_day() }}
{%- endmacro %}

{# An archived row is missing or altered, or a new one claims to have been known before the seal. #}
{% macro stop_at_an_altered_archive(rows) -%}
    {%- set query -%}
        with

        catalog_rows as ({{ rows }}),

        archived as (select * from {{ ledger_schema() }}.catalog_rows)

        select
            coalesce(archived.table_name, catalog_rows.table_name) as table_name,
            case when archived.row_hash is null then 'new' else 'missing' end as fault,
            coalesce(archived.row_text, catalog_rows.row_text) as row_text,
            {{ sealed_until_now() }} as sealed_until
        from archived
        full outer join catalog_rows
            on
                archived.table_name = catalog_rows.table_name
                and archived.row_hash = catalog_rows.row_hash
        where
            catalog_rows.row_hash is null
            or (archived.row_hash is null and catalog_rows.recorded_at < {{ sealed_until_now() }})
        order by 2, 1, 3
        limit 1
    {%- endset -%}
    {%- for row in run_query(query).rows -%}
        {%- set text = row["row_text"].replace("\x1f", ", ") -%}
        {%- if row["fault"] == "new" -%}
            {{ exceptions.raise_compiler_error(
                row["table_name"] ~ ": a row was not there when " ~ row["sealed_until"]
                ~ " was sealed, expected a recorded_at from then on: " ~ text
            ) }}
        {%- else -%}
            {{ exceptions.raise_compiler_error(
                row["table_name"] ~ ": a row that closed documents were made from is missing or "
                ~ "altered, expected it as it was (a later row takes it back): " ~ text
            ) }}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

{# Raw has more or fewer rows of a sealed day than were sealed. #}
{% macro stop_at_usage_in_a_sealed_day() -%}
    {%- set raw_schema = var("schema_prefix", "") ~ "raw" -%}
    {%- set sealed_days = ledger_schema() ~ ".sealed_days" -%}
    {%- set query -%}
        with

        days as (

            select load_day, landed_count from {{ sealed_days }}

        ),

        -- All loads by their own counts, and the last sealed day, where rows without a load might
        -- come in, by its rows.
        found as (

            select cast(loaded_at as date) as load_day, sum(row_count) as row_count
            from {{ raw_schema }}.loads
            where loaded_at < {{ sealed_until_now() }}
            group by cast(loaded_at as date)

            union all

            select cast(loaded_at as date) as load_day, count(*) as row_count
            from {{ raw_schema }}.usage_events
            where
                loaded_at >= {{ sealed_until_now() }} - interval '1 day'
                and loaded_at < {{ sealed_until_now() }}
            group by cast(loaded_at as date)

        )

        select
            found.load_day,
            found.row_count,
            coalesce(days.landed_count, 0) as landed_count
        from found
        left join days on found.load_day = days.load_day
        where found.row_count > coalesce(days.landed_count, 0)
        order by 1
        limit 1
    {%- endset -%}
    {%- for row in run_query(query).rows -%}
        {{ exceptions.raise_compiler_error(
            "raw.usage_events: " ~ row["load_day"] ~ " is sealed with " ~ row["landed_count"]
            ~ " rows and has " ~ row["row_count"]
            ~ ", expected later rows under a day that is not sealed (loaded_at)"
        ) }}
    {%- endfor -%}
{%- endmacro %}

{#
    The log of rating runs: who asks when a bill was made, by which code and from what, finds it here.
    A table of its own like the ledger's (no model, no run alters or drops it): what a run was is no
    input of any bill, and nothing reads it. Times are dbt's own; no model sees them.
#}
{% macro run_log_columns() -%}
    {{ return([
        ("run_id", type_text()),
        ("started_at", type_timestamp()),
        ("finished_at", type_timestamp()),
        ("has_succeeded", "boolean"),
        ("is_full", "boolean"),
        ("code_version", type_text()),
        ("rules_version", "integer"),
        ("catalog_hash", type_text()),
        ("from_day", "date"),
        ("through_day", "date"),
        ("open_day", "date"),
        ("close_at", type_timestamp()),
        ("raw_row_count", type_count()),
        ("rated_line_count", type_count()),
        ("closed_document_count", type_count()),
    ]) }}
{%- endmacro %}

{% macro run_log() -%} {{ return(var("schema_prefix", "") ~ "builds.rating_runs") }} {%- endmacro %}

{# Made at the start of a run where it is not there yet. #}
{% macro create_run_log() -%}
    create schema if not exists {{ var("schema_prefix", "") }}builds;
    create table if not exists {{ run_log() }} (
        {%- for name, type in run_log_columns() %}
        {{ name }} {{ type }},
        {%- endfor %}
        primary key (run_id)
    );
{%- endmacro %}

{#
    At the end of a run that had lines to rate, its row; `results` is dbt's list. What a run did not
    come to is null: one that failed has no counts, and one that stopped before its window no days.
    A run that was killed leaves none, as it leaves nothing else that counts.
#}
{% macro log_rating_run(results) -%}
    {#- Read before any return: dbt learns from it what the hook depends on. -#}
    {%- set known_rows = catalog_rows() -%}
    {%- if not execute or flags.WHICH not in ["build", "run"] -%}
        {{ return("") }}
    {%- endif -%}
    {%- set statuses = {} -%}
    {%- for result in results -%}
        {%- do statuses.update({result.node.unique_id: result.status | string}) -%}
    {%- endfor -%}
    {%- if node_id("rated_lines") not in statuses -%} {{ return("") }} {%- endif -%}
    {%- set failed = statuses.values() | select("in", ["error", "fail", "runtime error"]) | list -%}
    {%- set has_succeeded = not failed and is_made("rated_lines", statuses) -%}
    {%- set has_window = is_made("build_window", statuses) -%}
    {%- set is_whole = has_succeeded and has_window -%}
    insert into {{ run_log() }} ({{ column_names(run_log_columns()) }})
    select
        {{ text_literal(invocation_id) }},
        {{ utc_literal(run_started_at) }},
        {{ utc_literal(modules.datetime.datetime.now(modules.pytz.utc)) }},
        {{ has_succeeded | lower }},
        {{ flags.FULL_REFRESH | default(false, true) | lower }},
        {{ code_version() }},
        {{ var("rules_version") | int }},
        {{ known_catalog_hash(known_rows) if has_window else "null" }},
        {{ "build_window.from_day" if has_window else "null" }},
        {{ "build_window.through_day" if has_window else "null" }},
        {{ day_var("open_day") }},
        {{ "build_window.close_at" if has_window else "null" }},
        {%- if is_whole and is_made("built_days", statuses) %}
        (
            select coalesce(sum(built_days.landed_count), 0)
            from {{ made_table("builds", "built_days") }} as built_days
            where built_days.load_day between build_window.from_day and build_window.through_day
        ),
        {%- else %}
        null,
        {%- endif %}
        {%- if is_whole %}
        (
            select count(*)
            from {{ made_table("marts", "rated_lines") }} as rated_lines
            where rated_lines.cutoff_at > build_window.open_from
        ),
        {%- else %}
        null,
        {%- endif %}
        {%- if is_whole and is_made("int_invoicing__closed_documents", statuses) %}
        (
            select count(*)
            from {{ made_table("invoicing", "int_invoicing__closed_documents") }}
        )
        {%- else %}
        null
        {%- endif %}
    {%- if has_window %}
    from {{ made_table("builds", "build_window") }} as build_window
    {%- endif %}
{%- endmacro %}

{# A table of the run; a hook belongs to no group, and may not ref() what is private to one. #}
{% macro made_table(schema, name) -%}
    {{ return(var("schema_prefix", "") ~ schema ~ "." ~ name) }}
{%- endmacro %}

{# Whether the run made a model: a preview or a replay selects what it needs. #}
{% macro is_made(name, statuses) -%}
    {{ return(statuses.get(node_id(name)) == "success") }}
{%- endmacro %}

{% macro node_id(name) -%} {{ return("model.tallyhouse." ~ name) }} {%- endmacro %}

{# An instant of the run as a literal, in UTC. #}
{% macro utc_literal(instant) -%}
    {{ return(
        "cast('" ~ instant.astimezone(modules.pytz.utc).strftime("%Y-%m-%d %H:%M:%S.%f")
        ~ "' as " ~ type_timestamp() ~ ")"
    ) }}
{%- endmacro %}

{# What code runs, which `tally` says; of plain dbt null, unless TALLY_CODE_VERSION is set. #}
{% macro code_version() -%}
    {%- set version = env_var("TALLY_CODE_VERSION", "") -%}
    {{ return(text_literal(version) if version else "cast(null as " ~ type_text() ~ ")") }}
{%- endmacro %}

{# The SHA-256 of all rows of the catalogue that the run could see, in the order of their own. #}
{% macro known_catalog_hash(rows) -%}
    (
        select {{ text_digest(
            "coalesce(" ~ joined_text("catalog_rows.row_hash", "", binary_order("catalog_rows.row_hash"))
            ~ ", '')"
        ) }}
        from ({{ rows }}) as catalog_rows
        where catalog_rows.recorded_at < build_window.as_of_at
    )
{%- endmacro %}

{#
    At the end of a run that ended well and was of the whole house: what BI reads moves on to it, all
    at once. `results` is dbt's list. Whatever failed, was skipped or left out, nothing moves.
#}
{% macro publish(results) -%}
    {%- if not execute or not publishes() or flags.EMPTY or not is_whole_build(results) -%}
        {{ return("") }}
    {%- endif -%}
    {{ return(adapter.dispatch("publish")()) }}
{%- endmacro %}

{#
    Whether the run made every model and nothing of it failed. Dagster runs dbt in two parts, the
    close by itself; the second says that the first ended well (TALLY_FIRST_PART).
#}
{% macro is_whole_build(results) -%}
    {%- set made = [] -%}
    {%- for result in results -%}
        {%- set status = result.status | string -%}
        {%- if status not in ["success", "pass", "warn", "no-op"] -%} {{ return(false) }} {%- endif -%}
        {%- do made.append(result.node.unique_id) -%}
    {%- endfor -%}
    {%- if node_id("house_state") not in made -%} {{ return(false) }} {%- endif -%}
    {%- if env_var("TALLY_FIRST_PART", "") == "done" -%} {{ return(true) }} {%- endif -%}
    {%- for node in graph.nodes.values()
        if node.resource_type == "model" and node.config.enabled
        and node.config.materialized != "ephemeral" and node.unique_id not in made -%}
        {{ return(false) }}
    {%- endfor -%}
    {{ return(true) }}
{%- endmacro %}

{% macro default__publish() -%}
    {{ exceptions.raise_compiler_error("publishing a build is not written for " ~ target.type) }}
{%- endmacro %}

{#
    In a transaction that dbt knows of: it may have one open here already, and takes back what it did
    not commit itself when it lets go of the connection.
#}
{% macro duckdb__publish() -%}
    {%- call statement("publish", auto_begin=True) -%}
    {%- for name in marts_without_view() %}
    create or replace view {{ published_schema() }}.{{ name }} as
    select
        mart.*,
        current_build.build_id
    from {{ made_table("marts", name) }} as mart
    cross join {{ pinned_schema() }}.current_build;
    {%- endfor %}
    {{ add_build() }}
    {%- endcall -%}
    {%- do adapter.commit() -%}
{%- endmacro %}

{#
    The marts that have no view of just their columns. The others are left: to make all of them takes
    as long as a dozen models.
#}
{% macro marts_without_view() -%}
    {%- set names = [] -%}
    {%- for row in run_query(
        "with shown as (select schema_name, table_name,"
        ~ " string_agg(column_name || ' ' || data_type, ', ' order by column_index) as columns"
        ~ " from duckdb_columns()"
        ~ " where database_name = current_database() and column_name <> 'build_id'"
        ~ " group by schema_name, table_name)"
        ~ " select marts.table_name from shown as marts left join shown as published"
        ~ " on published.schema_name = '" ~ published_schema() ~ "'"
        ~ " and published.table_name = marts.table_name and published.columns = marts.columns"
        ~ " where marts.schema_name = '" ~ var("schema_prefix", "") ~ "marts'"
        ~ " and published.table_name is null order by marts.table_name"
    ).rows -%}
        {%- if row[0] in published_marts() -%} {%- do names.append(row[0]) -%} {%- endif -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro %}

{# All of it is in one statement, so in one transaction: see create_publishing_functions. #}
{% macro postgres__publish() -%}
    begin;
    select {{ pinned_schema() }}.pin_build(
        '{{ invocation_id }}',
        array[{% for name in published_marts() %}'{{ name }}'{{ ", " if not loop.last }}{% endfor %}]
    );
    {{ add_build() }};
    commit
{%- endmacro %}

{# The build's row, and the pointer to it. #}
{% macro add_build() -%}
    insert into {{ published_schema() }}.builds ({{ column_names(published_build_columns()) }})
    select
        coalesce(
            (select max(builds.build_id) from {{ published_schema() }}.builds as builds), 0
        ) + 1,
        {{ text_literal(invocation_id) }},
        {{ utc_literal(modules.datetime.datetime.now(modules.pytz.utc)) }},
        build_window.from_day,
        build_window.through_day,
        build_window.as_of_day,
        {{ sealed_until_now() }}
    from {{ made_table("builds", "build_window") }} as build_window;
    update {{ pinned_schema() }}.current_build
    set
        build_id = (select max(builds.build_id) from {{ published_schema() }}.builds as builds),
        sealed_until = {{ sealed_until_now() }}
{%- endmacro %}

{#
    Before an incremental model replaces its window: which rows it will not have as they were. A later
    publish brings just those of its copy up to date.
#}
{% macro note_window() -%}
    {{ return(adapter.dispatch("note_window")()) }}
{%- endmacro %}

{% macro default__note_window() -%} {{ return("") }} {%- endmacro %}

{% macro postgres__note_window() -%}
    {%- if not execute or not publishes() or model.config.materialized != "incremental"
        or not is_incremental() -%}
        {{ return("") }}
    {%- endif -%}
    insert into {{ pinned_schema() }}.windows (relation, condition)
    values (
        '{{ this.schema }}.{{ this.identifier }}',
        {{ text_literal(replaced_rows(model.config.meta["replaces"]) | trim) }}
    )
{%- endmacro %}

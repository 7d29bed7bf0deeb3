{#
    What BI reads while builds run: the schema `published`. It has a view for each public mart, of the
    last build that ended well and whole, each with that build's `build_id`; `publish` moves them on.
    Made at the start of a run where it is not there yet. No bill reads it.

    published.builds      one row per published build
    pinned.current_build  one row: the build that is read; until when it is sealed
    pinned.windows        PostgreSQL: what runs replaced in incremental tables since then
    pinned.relations      PostgreSQL: what the published views are made of
#}
{% macro create_published_tables() -%}
    {%- if not execute or not publishes() -%} {{ return("") }} {%- endif -%}
    create schema if not exists {{ published_schema() }};
    create schema if not exists {{ pinned_schema() }};
    create table if not exists {{ published_schema() }}.builds (
        {%- for name, type in published_build_columns() %}
        {{ name }} {{ type }},
        {%- endfor %}
        primary key (build_id)
    );
    create table if not exists {{ pinned_schema() }}.current_build (
        build_id {{ type_count() }},
        sealed_until {{ type_timestamp() }} not null
    );
    insert into {{ pinned_schema() }}.current_build (build_id, sealed_until)
    select null, cast('1900-01-01' as {{ type_timestamp() }})
    where not exists (select 1 from {{ pinned_schema() }}.current_build);
    {{ adapter.dispatch("prepare_to_publish")() }}
{%- endmacro %}

{% macro published_build_columns() -%}
    {{ return([
        ("build_id", type_count()),
        ("invocation_id", type_text()),
        ("published_at", type_timestamp()),
        ("from_day", "date"),
        ("through_day", "date"),
        ("as_of_day", "date"),
        ("sealed_until", type_timestamp()),
    ]) }}
{%- endmacro %}

{% macro published_schema() -%} {{ return(var("schema_prefix", "") ~ "published") }} {%- endmacro %}

{% macro pinned_schema() -%} {{ return(var("schema_prefix", "") ~ "pinned") }} {%- endmacro %}

{# A house beside the house (a replay, a simulation, a preview) is read by nobody. #}
{% macro publishes() -%}
    {{ return(run_writes() and env_var("TALLY_PUBLISH", "") != "no") }}
{%- endmacro %}

{# The names of the marts that are published: all that are public, but for those in `unpublished`. #}
{% macro published_marts() -%}
    {%- set names = [] -%}
    {%- for node in graph.nodes.values()
        if node.resource_type == "model" and node.access == "public"
        and node.name not in var("unpublished") -%}
        {%- do names.append(node.name) -%}
    {%- endfor -%}
    {{ return(names | sort) }}
{%- endmacro %}

{% macro default__prepare_to_publish() -%}
    {{ exceptions.raise_compiler_error("publishing a build is not written for " ~ target.type) }}
{%- endmacro %}

{#
    Nobody reads beside a DuckDB build, so there the published views are the marts themselves. Once a
    run begins to write they may be of no build: their build_id is null until one has ended well.
#}
{% macro duckdb__prepare_to_publish() -%}
    update {{ pinned_schema() }}.current_build set build_id = null;
{%- endmacro %}

{% macro postgres__prepare_to_publish() -%}
    create table if not exists {{ pinned_schema() }}.windows (
        relation text not null,
        condition text not null
    );
    create table if not exists {{ pinned_schema() }}.relations (
        relation text primary key,
        pinned_name text not null,
        kind text not null,
        relation_oid oid not null,
        definition text
    );
    {{ create_publishing_functions() }}
{%- endmacro %}

{#
    One build of a house at a time. DuckDB's file belongs to one process. PostgreSQL lets anybody in,
    and goes on for a moment with what a killed client had asked for, so there a run that writes
    says so first (`begin_run`, the first hook of a run) and each of its models asks before it writes
    whether the house is still the run's (`continue_run`, their pre-hook, in their transaction).

    begin_run waits for what an earlier run has on the way (its models hold the lock `models` as
    sharers), and from then on the earlier run's models refuse: the later run has the house. While
    `tally build` holds the lock `build` nobody else begins (orchestration/sole_build.py).
#}
{% macro begin_run() -%}
    {{ return(adapter.dispatch("begin_run")() if run_writes() else "") }}
{%- endmacro %}

{% macro default__begin_run() -%}
    {{ exceptions.raise_compiler_error(
        "one build at a time is not written for " ~ target.type
    ) }}
{%- endmacro %}

{% macro duckdb__begin_run() -%} {{ return("") }} {%- endmacro %}

{% macro postgres__begin_run() -%}
    {%- set schema = var("schema_prefix", "") ~ "builds" -%}
    select pg_advisory_xact_lock({{ house_lock("models") }});
    create schema if not exists {{ schema }};
    create table if not exists {{ schema }}.current_run (
        invocation_id text not null,
        begun_at timestamp with time zone not null
    );
    create or replace function {{ schema }}.begin_run(run_id text, holder integer)
    returns void language plpgsql as $body$
    declare
        other integer;
    begin
        select pid into other
        from pg_locks
        where
            locktype = 'advisory'
            and database = (select oid from pg_database where datname = current_database())
            and classid = {{ house_lock_number("build") }}
            and cast(objid as bigint) = cast({{ house_number() }} as bigint) & 4294967295
            and objsubid = 2
            and granted
            and pid <> holder;
        if found then
            raise exception 'another build of this house is running (server process %)', other;
        end if;
        delete from {{ schema }}.current_run;
        insert into {{ schema }}.current_run values (run_id, clock_timestamp());
    end
    $body$;
    create or replace function {{ schema }}.continue_run(run_id text)
    returns void language plpgsql as $body$
    begin
        -- So that the server notices in the midst of a statement that its client was killed;
        -- not every platform can.
        begin
            perform set_config('client_connection_check_interval', '2s', true);
        exception when others then
            null;
        end;
        perform pg_advisory_xact_lock_shared({{ house_lock("models") }});
        if not exists (
            select 1 from {{ schema }}.current_run where invocation_id = run_id
        ) then
            raise exception 'another build of this house has begun since, this one stops';
        end if;
    end
    $body$;
    select {{ schema }}.begin_run(
        '{{ invocation_id }}', {{ env_var("TALLY_BUILD_HOLDER", "0") | int }}
    );
{%- endmacro %}

{# Pre-hook of every model and seed. #}
{% macro continue_run() -%}
    {{ return(adapter.dispatch("continue_run")() if run_writes() else "") }}
{%- endmacro %}

{# Statements of a later hook at the start of a run, in one transaction with that question. #}
{% macro as_this_run(statements) -%}
    {%- set question = continue_run() -%}
    {{ return((question ~ ";\n" if question else "") ~ statements) }}
{%- endmacro %}

{# A run that looks at a house (tests, documentation) takes it from nobody. #}
{% macro run_writes() -%}
    {{ return(flags.WHICH in ["build", "run", "seed", "retry"]) }}
{%- endmacro %}

{% macro default__continue_run() -%} {{ return("") }} {%- endmacro %}

{% macro postgres__continue_run() -%}
    select {{ var("schema_prefix", "") }}builds.continue_run('{{ invocation_id }}')
{%- endmacro %}

{#
    The two numbers of an advisory lock: what it is for, and whose house. They are the same in
    orchestration/sole_build.py.
#}
{% macro house_lock(name) -%}
    {{ return(house_lock_number(name) ~ ", " ~ house_number()) }}
{%- endmacro %}

{% macro house_lock_number(name) -%}
    {{ return({"build": 730581142, "models": 730581143}[name]) }}
{%- endmacro %}

{% macro house_number() -%}
    {{ return("hashtext('tallyhouse " ~ var("schema_prefix", "") ~ "')") }}
{%- endmacro %}

{#
    Checks that PostgreSQL 16 has of its own and older releases get as functions of the house (made
    at the start of a run). Each takes a text and never raises.
#}
{% macro postgres_version() -%}
    {%- if not execute or flags.WHICH in ("parse", "list", "ls") -%} {{ return(160000) }} {%- endif -%}
    {{ return(run_query("select cast(current_setting('server_version_num') as integer)").rows[0][0]) }}
{%- endmacro %}

{% macro postgres_input_is_valid(text, type) -%}
    {%- if postgres_version() >= 160000 -%} pg_input_is_valid({{ text }}, '{{ type }}')
    {%- else -%} {{ house_function("is_" ~ type) }}({{ text }})
    {%- endif -%}
{%- endmacro %}

{% macro postgres_is_json_object(text) -%}
    {%- if postgres_version() >= 160000 -%} ({{ text }} is json object)
    {%- else -%} {{ house_function("is_json_object") }}({{ text }})
    {%- endif -%}
{%- endmacro %}

{% macro postgres_has_unique_keys(text) -%}
    {%- if postgres_version() >= 160000 -%} ({{ text }} is json with unique keys)
    {%- else -%} {{ house_function("has_unique_keys") }}({{ text }})
    {%- endif -%}
{%- endmacro %}

{% macro house_function(name) -%}
    {{ var("schema_prefix", "") }}raw.tally_{{ name }}
{%- endmacro %}

{# Nothing to make on an engine that has the checks of its own. #}
{% macro create_engine_functions() -%}
    {{ return(adapter.dispatch("create_engine_functions")()) }}
{%- endmacro %}

{% macro default__create_engine_functions() -%}
    {{ return("") }}
{%- endmacro %}

{% macro postgres__create_engine_functions() -%}
    {%- if not execute or postgres_version() >= 160000 -%} {{ return("") }} {%- endif -%}
    create or replace function {{ house_function("is_timestamptz") }}(given text) returns boolean
    language plpgsql immutable as $body$
    begin
        perform cast(given as timestamptz);
        return true;
    exception when others then
        return false;
    end
    $body$;
    create or replace function {{ house_function("is_json_object") }}(given text) returns boolean
    language plpgsql immutable as $body$
    begin
        return json_typeof(cast(given as json)) = 'object';
    exception when others then
        return false;
    end
    $body$;
    create or replace function {{ house_function("has_unique_keys") }}(given text) returns boolean
    language plpgsql immutable as $body$
    declare
        parsed json := cast(given as json);
        inner_json json;
    begin
        if json_typeof(parsed) = 'object' then
            if (select count(*) > count(distinct key) from json_each(parsed)) then
                return false;
            end if;
            for inner_json in
                select value from json_each(parsed)
                where json_typeof(value) in ('object', 'array')
            loop
                if not {{ house_function("has_unique_keys") }}(cast(inner_json as text)) then
                    return false;
                end if;
            end loop;
        elsif json_typeof(parsed) = 'array' then
            for inner_json in
                select value from json_array_elements(parsed)
                where json_typeof(value) in ('object', 'array')
            loop
                if not {{ house_function("has_unique_keys") }}(cast(inner_json as text)) then
                    return false;
                end if;
            end loop;
        end if;
        return true;
    end
    $body$;
{%- endmacro %}

{#
    What the envelope of a raw record means on each engine. Source of the rules: DESIGN, Events.
    DuckDB's JSON parser takes NaN, Infinity, trailing commas and repeated keys, and PostgreSQL's
    does not; here both take JSON and nothing else.
#}

{#
    64-bit hash of a delivery's key within its customer: a prefilter for first deliveries, never the
    decision (the keys themselves are compared after). Engine-own and fast; the model that stores it
    checks with stored_hash_holds() that an engine upgrade did not change it.
#}
{% macro delivery_key_hash(customer_id, event_key) -%}
    {{ return(adapter.dispatch("delivery_key_hash")(customer_id, event_key)) }}
{%- endmacro %}

{% macro default__delivery_key_hash(customer_id, event_key) -%}
    {{ exceptions.raise_compiler_error("delivery_key_hash is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__delivery_key_hash(customer_id, event_key) -%}
    hash({{ customer_id }}, {{ event_key }})
{%- endmacro %}

{% macro postgres__delivery_key_hash(customer_id, event_key) -%}
    hashtextextended({{ customer_id }} || chr(31) || {{ event_key }}, 0)
{%- endmacro %}

{% macro type_key_hash() -%}
    {{ return(adapter.dispatch("type_key_hash")()) }}
{%- endmacro %}
{% macro default__type_key_hash() -%}
    {{ exceptions.raise_compiler_error("type_key_hash is not written for " ~ target.type) }}
{%- endmacro %}
{% macro duckdb__type_key_hash() -%} ubigint {%- endmacro %}
{% macro postgres__type_key_hash() -%} bigint {%- endmacro %}

{#
    Key of a delivery that names none: its place, which no other delivery has.
#}
{% macro delivery_key(relation) -%}
    coalesce(
        nullif({{ relation }}.event_key, ''),
        {{ relation }}.load_id || ':' || cast({{ relation }}.line_number as {{ type_text() }})
    )
{%- endmacro %}

{#
    The instant of an ISO 8601 text as a UTC timestamp, null when it is none (or no real date). No
    zone: UTC. Digits past the microsecond are cut.
#}
{% macro try_utc_timestamp(text) -%}
    {{ return(adapter.dispatch("try_utc_timestamp")(text)) }}
{%- endmacro %}

{% macro default__try_utc_timestamp(text) -%}
    {{ exceptions.raise_compiler_error("try_utc_timestamp is not written for " ~ target.type) }}
{%- endmacro %}

{% macro iso_instant_pattern() -%}
    [0-9]{4}-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?)?
{%- endmacro %}

{# Not cast(text as timestamp), which leaves an offset out without a word. #}
{% macro duckdb__try_utc_timestamp(text) -%}
    case
        when regexp_full_match({{ text }}, '{{ iso_instant_pattern() }}')
            then make_timestamp(epoch_us(try_cast({{ text }} as timestamptz)))
    end
{%- endmacro %}

{# The zone is written out where it is missing, so that the session's own zone decides nothing. #}
{% macro postgres__try_utc_timestamp(text) -%}
    {%- set whole = "(regexp_replace(" ~ text ~ ", '([.][0-9]{6})[0-9]+', '\\1') || case when length("
        ~ text ~ ") = 10 then ' 00:00:00Z' when " ~ text
        ~ " ~ '(Z|[+-][0-9]{2}(:?[0-9]{2})?)$' and length(" ~ text
        ~ ") > 16 then '' else 'Z' end)" -%}
    case
        when
            {{ text }} ~ '^{{ iso_instant_pattern() }}$'
            and {{ postgres_input_is_valid(whole, 'timestamptz') }}
            then cast({{ whole }} as timestamptz) at time zone 'UTC'
    end
{%- endmacro %}

{#
    Whether a text is one JSON object by the grammar, with no escape that stands for no character
    (a NUL, half of a surrogate pair), which not every engine can hold.
#}
{% macro is_json_object(text) -%}
    {{ return(adapter.dispatch("is_json_object")(text)) }}
{%- endmacro %}

{% macro default__is_json_object(text) -%}
    {{ exceptions.raise_compiler_error("is_json_object is not written for " ~ target.type) }}
{%- endmacro %}

{#
    The grammar is looked at again, outside strings, only where a cheap look at the text finds what
    the parser would let pass. (Measured: one regular expression over every text costs three times
    as much as all these looks.)
#}
{% macro duckdb__is_json_object(text) -%}
    case
        when not starts_with(ltrim({{ text }}, ' ' || chr(9) || chr(10) || chr(13)), '{') then false
        when not json_valid({{ text }}) then false
        when
            contains({{ text }}, '\u')
            and regexp_matches(replace({{ text }}, '\\', ''), '\\u0000')
            then false
        when
            contains({{ text }}, ',}')
            or contains({{ text }}, ',]')
            or contains({{ text }}, ' }')
            or contains({{ text }}, ' ]')
            or contains({{ text }}, chr(10))
            or contains({{ text }}, chr(9))
            or contains({{ text }}, chr(13))
            or contains(lower({{ text }}), 'nan')
            or contains(lower({{ text }}), 'inf')
            then not regexp_matches(
                regexp_replace({{ text }}, '"([^"\\]|\\.)*"', '""', 'g'),
                '(?i)nan|inf|,\s*[\]}]'
            )
        else true
    end
{%- endmacro %}

{% macro postgres__is_json_object(text) -%}
    case
        when not {{ postgres_is_json_object(text) }} then false
        when position('\u' in {{ text }}) = 0 then true
        else
            replace({{ text }}, '\\', '') !~ '\\u0000'
            and regexp_replace(
                replace({{ text }}, '\\', ''),
                '\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}', '', 'g'
            ) !~ '\\u[dD][89a-fA-F]'
    end
{%- endmacro %}

{#
    Whether a JSON object repeats a key on one level, at any depth. `shape` is an engine's cheap
    stand-in (the same shape, the same answer), null where the answer costs nothing.
#}
{% macro json_key_shape(text) -%}
    {{ return(adapter.dispatch("json_key_shape")(text)) }}
{%- endmacro %}

{% macro default__json_key_shape(text) -%}
    {{ exceptions.raise_compiler_error("json_key_shape is not written for " ~ target.type) }}
{%- endmacro %}

{# All key lists, hashed. A nested level is looked for only behind a second brace. #}
{% macro duckdb__json_key_shape(text) -%}
    hash(
        json_keys({{ text }}),
        case when contains(substr({{ text }}, 2), '{') then json_keys({{ text }}, '$..*') end
    )
{%- endmacro %}

{% macro postgres__json_key_shape(text) -%}
    cast(case when {{ postgres_has_unique_keys(text) }} then 0 else 1 end as bigint)
{%- endmacro %}

{% macro repeats_json_key(text) -%}
    {{ return(adapter.dispatch("repeats_json_key")(text)) }}
{%- endmacro %}

{% macro default__repeats_json_key(text) -%}
    {{ exceptions.raise_compiler_error("repeats_json_key is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__repeats_json_key(text) -%}
    (
        list_unique(json_keys({{ text }})) < len(json_keys({{ text }}))
        or coalesce(list_bool_or(list_transform(
            json_keys({{ text }}, '$..*'), lambda keys: list_unique(keys) < len(keys)
        )), false)
    )
{%- endmacro %}

{% macro postgres__repeats_json_key(text) -%}
    (not {{ postgres_has_unique_keys(text) }})
{%- endmacro %}

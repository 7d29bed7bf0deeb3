{#
    The UTC timestamp (without zone) of a text that names its zone, `2026-01-01T00:00:00+02:00`.
    A plain cast would not do: DuckDB then leaves the offset out without a word.
#}
{% macro utc_timestamp(text) -%}
    {{ return(adapter.dispatch('utc_timestamp')(text)) }}
{%- endmacro %}

{% macro default__utc_timestamp(text) -%}
    {{ exceptions.raise_compiler_error("utc_timestamp is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__utc_timestamp(text) -%}
    make_timestamp(epoch_us(cast({{ text }} as timestamptz)))
{%- endmacro %}

{% macro postgres__utc_timestamp(text) -%}
    (cast({{ text }} as timestamptz) at time zone 'UTC')
{%- endmacro %}

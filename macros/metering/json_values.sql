{#
    Values of a JSON text by path, the same on every engine. Source of the rules: DESIGN, Events
    and Meters. A path is the list of its keys; keys of the catalogue are only ever quoted literals.
#}

{# A text as a SQL literal. #}
{% macro text_literal(text) -%}
    '{{ text | string | replace("'", "''") }}'
{%- endmacro %}

{#
    Keys of a dotted path; a key that holds a dot stands in double quotes: `a."b.c"` is a, b.c.
#}
{% macro path_keys(path) -%}
    {%- set keys = [] -%}
    {%- for quoted, plain in modules.re.findall('"([^"]*)"|([^".]+)', path) -%}
        {%- do keys.append(quoted or plain) -%}
    {%- endfor -%}
    {{ return(keys) }}
{%- endmacro %}

{#
    The columns property_1.. of a relation: the text of each path, read from the JSON in one go.
    `read` is the expression that reads all (kept in a column of its own where an engine wants it).
#}
{% macro read_properties(properties, paths) -%}
    {{ return(adapter.dispatch("read_properties")(properties, paths)) }}
{%- endmacro %}

{% macro default__read_properties(properties, paths) -%}
    {{ exceptions.raise_compiler_error("read_properties is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__read_properties(properties, paths) -%}
    json_extract_string({{ properties }}, [
        {%- for path in paths %}
        {{ duckdb_json_path(path) }}{{ "," if not loop.last }}
        {%- endfor %}
    ])
{%- endmacro %}

{% macro postgres__read_properties(properties, paths) -%}
    cast({{ properties }} as json)
{%- endmacro %}

{% macro read_property(read, number, path) -%}
    {{ return(adapter.dispatch("read_property")(read, number, path)) }}
{%- endmacro %}

{% macro default__read_property(read, number, path) -%}
    {{ exceptions.raise_compiler_error("read_property is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__read_property(read, number, path) -%}
    {{ read }}[{{ number }}]
{%- endmacro %}

{% macro postgres__read_property(read, number, path) -%}
    {%- set keys = path_keys(path) -%}
    {{ read }}
    {%- for key in keys %} {{ "->>" if loop.last else "->" }} {{ text_literal(key) }}{% endfor %}
{%- endmacro %}

{% macro duckdb_json_path(path) -%}
    {%- set quoted = [] -%}
    {%- for key in path_keys(path) -%} {%- do quoted.append('."' ~ key ~ '"') -%} {%- endfor -%}
    {{ text_literal("$" ~ quoted | join("")) }}
{%- endmacro %}

{# Type of the value at a path: string, number, boolean, object, array or null. #}
{% macro json_type_at(properties, path) -%}
    {{ return(adapter.dispatch("json_type_at")(properties, path)) }}
{%- endmacro %}

{% macro default__json_type_at(properties, path) -%}
    {{ exceptions.raise_compiler_error("json_type_at is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__json_type_at(properties, path) -%}
    case json_type({{ properties }}, {{ duckdb_json_path(path) }})
        when 'VARCHAR' then 'string'
        when 'OBJECT' then 'object'
        when 'ARRAY' then 'array'
        when 'BOOLEAN' then 'boolean'
        when 'NULL' then 'null'
        else 'number'
    end
{%- endmacro %}

{% macro postgres__json_type_at(properties, path) -%}
    json_typeof(cast({{ properties }} as json)
    {%- for key in path_keys(path) %} -> {{ text_literal(key) }}{% endfor %})
{%- endmacro %}

{#
    The text of a number exactly as it was written, from the text that the engine's JSON parser
    gave. DuckDB reads a number with a point as a double: where the JSON is not what it would write
    itself and holds 16 digits in a row, the long numbers are put in quotes and read as text.
#}
{% macro exact_number_text(properties, path, text) -%}
    {{ return(adapter.dispatch("exact_number_text")(properties, path, text)) }}
{%- endmacro %}

{% macro default__exact_number_text(properties, path, text) -%}
    {{ exceptions.raise_compiler_error("exact_number_text is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__exact_number_text(properties, path, text) -%}
    case
        when
            (contains({{ text }}, '.') or contains({{ text }}, 'e'))
            and {{ properties }} <> json({{ properties }})
            and regexp_matches({{ properties }}, '[0-9][0-9.]{15}')
            then json_extract_string(
                array_to_string(
                    list_transform(
                        regexp_extract_all(
                            {{ properties }},
                            '"(?:[^"\\]|\\.)*"|[^"\s,:{}\[\]]+|[\s,:{}\[\]]+'
                        ),
                        lambda token: case
                            when length(token) > 15 and regexp_matches(token, '^-?[0-9]')
                                then '"' || token || '"'
                            else token
                        end
                    ),
                    ''
                ),
                {{ duckdb_json_path(path) }}
            )
        else {{ text }}
    end
{%- endmacro %}

{% macro postgres__exact_number_text(properties, path, text) -%} {{ text }} {%- endmacro %}

{% macro number_pattern() -%} -?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)? {%- endmacro %}

{# Whether a text is a number by JSON's grammar. Null for null. #}
{% macro is_number(text) -%}
    {{ return(adapter.dispatch("is_number")(text)) }}
{%- endmacro %}

{% macro default__is_number(text) -%}
    {{ exceptions.raise_compiler_error("is_number is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__is_number(text) -%}
    regexp_full_match({{ text }}, '{{ number_pattern() }}')
{%- endmacro %}

{% macro postgres__is_number(text) -%}
    ({{ text }} ~ '^{{ number_pattern() }}$')
{%- endmacro %}

{#
    The number of a text that is_number() holds for, rounded half away from zero to 10 decimals;
    null when it has more than 12 whole digits, more than 100 characters, or is no number at all.
#}
{% macro number_value(text) -%}
    {{ return(adapter.dispatch("number_value")(text)) }}
{%- endmacro %}

{% macro default__number_value(text) -%}
    {{ exceptions.raise_compiler_error("number_value is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__number_value(text) -%}
    case
        when
            abs(try_cast({{ text }} as {{ type_quantity() }})) < 1000000000000
            and length({{ text }}) <= 100
            then try_cast({{ text }} as {{ type_quantity() }})
    end
{%- endmacro %}

{# numeric takes an exponent of some size only, and what the pattern lets through may be larger. #}
{% macro postgres__number_value(text) -%}
    case
        when length({{ text }}) > 100 or not {{ is_number(text) }} then null
        when {{ text }} ~ '[eE]-[0-9]{4,}$' then 0
        when {{ text }} ~ '[eE][+]?[0-9]{4,}$' then null
        when abs(round(cast({{ text }} as numeric), 10)) < 1000000000000
            then cast({{ text }} as {{ type_quantity() }})
    end
{%- endmacro %}

{#
    The same with up to 28 whole digits: a number that is compared or counted, not added up.
#}
{% macro wide_number_value(text) -%}
    {{ return(adapter.dispatch("wide_number_value")(text)) }}
{%- endmacro %}

{% macro default__wide_number_value(text) -%}
    {{ exceptions.raise_compiler_error("wide_number_value is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__wide_number_value(text) -%}
    try_cast({{ text }} as {{ type_integral() }})
{%- endmacro %}

{% macro postgres__wide_number_value(text) -%}
    case
        when length({{ text }}) > 100 or not {{ is_number(text) }} then null
        when {{ text }} ~ '[eE]-[0-9]{4,}$' then 0
        when {{ text }} ~ '[eE][+]?[0-9]{4,}$' then null
        when abs(round(cast({{ text }} as numeric), 10)) < 1e28
            then cast({{ text }} as {{ type_integral() }})
    end
{%- endmacro %}

{#
    The text by which a value is compared, counted or shown as a dimension: a string as it is, a
    number without exponent or trailing zeros, true and false; null for anything else. The type is
    only asked where the text leaves it open.
#}
{% macro canonical_text(properties, path, text) -%}
    case
        when {{ text }} is null then null
        when
            ascii({{ text }}) in (91, 123)
            and {{ json_type_at(properties, path) }} in ('object', 'array')
            then null
        when
            ascii({{ text }}) between 45 and 57
            and (
                strpos({{ text }}, '.') > 0
                or strpos({{ text }}, 'e') > 0
                or strpos({{ text }}, 'E') > 0
                or {{ text }} = '-0'
            )
            and {{ json_type_at(properties, path) }} = 'number'
            then {{ number_text(wide_number_value(exact_number_text(properties, path, text))) }}
        else {{ text }}
    end
{%- endmacro %}

{# A quantity as text without trailing zeros. #}
{% macro number_text(number) -%}
    rtrim(rtrim(cast({{ number }} as {{ type_text() }}), '0'), '.')
{%- endmacro %}

{#
    `model=large`, with the two characters that part dimension texts written as %25 and %7C.
#}
{% macro dimension_text(name, value) -%}
    {{ text_literal(name ~ "=") }} || case
        when strpos({{ value }}, '|') > 0 or strpos({{ value }}, '%') > 0
            then replace(replace({{ value }}, '%', '%25'), '|', '%7C')
        else {{ value }}
    end
{%- endmacro %}

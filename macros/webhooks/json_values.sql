{#
    JSON made in SQL, the same text on each engine: texts in quotes, decimals and money as texts,
    whole numbers as numbers, `null` for what is not there.

    A control character for which JSON has no short escape becomes U+FFFD: engines write the digits of
    its escape in capitals or not.
#}
{% macro json_text(value) -%}
    coalesce(
        cast(
            to_json(
                regexp_replace(
                    cast({{ value }} as {{ type_text() }}),
                    '[\x01-\x07\x0b\x0e-\x1f]', chr(65533), 'g'
                )
            ) as {{ type_text() }}
        ),
        'null'
    )
{%- endmacro %}

{# A decimal without trailing zeros. #}
{% macro json_decimal(value) -%}
    {%- set text = "cast(" ~ value ~ " as " ~ type_text() ~ ")" -%}
    coalesce(
        '"' || case
            when {{ text }} like '%.%' then rtrim(rtrim({{ text }}, '0'), '.') else {{ text }}
        end || '"',
        'null'
    )
{%- endmacro %}

{# A total at its currency's exponent; with four decimals where the currency is unknown. #}
{% macro json_money(total, exponent) -%}
    coalesce(
        '"' || case {{ exponent }}
            {%- for digits in range(4) %}
            when {{ digits }}
                then cast(cast({{ total }} as decimal(24, {{ digits }})) as {{ type_text() }})
            {%- endfor %}
            else cast(cast({{ total }} as {{ type_total() }}) as {{ type_text() }})
        end || '"',
        'null'
    )
{%- endmacro %}

{#
    A flat object of columns of a relation, in their order: a list of (name, kind), with kinds text,
    instant, date, decimal, money (the relation has a column `exponent`) and number (also true, false).
#}
{% macro json_object(relation, fields) -%}
    {%- for name, kind in fields %}
        {%- set value = relation ~ "." ~ name %}
    '{{ "{" if loop.first else "," }}"{{ name }}":' || {{ " " }}
        {%- if kind == "text" -%} {{ json_text(value) }}
        {%- elif kind == "instant" -%} coalesce('"' || {{ iso_instant(value, false) }} || '"', 'null')
        {%- elif kind == "date" -%} coalesce('"' || {{ iso_date(value) }} || '"', 'null')
        {%- elif kind == "decimal" -%} {{ json_decimal(value) }}
        {%- elif kind == "money" -%} {{ json_money(value, relation ~ ".exponent") }}
        {%- elif kind == "number" -%} coalesce(cast({{ value }} as {{ type_text() }}), 'null')
        {%- else -%}
            {{ exceptions.raise_compiler_error(
                "json_object: kind of " ~ name ~ " is '" ~ kind
                ~ "'; expected text, instant, date, decimal, money or number"
            ) }}
        {%- endif %} ||
    {%- endfor %}
    '}'
{%- endmacro %}

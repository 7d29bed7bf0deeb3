{#
    The date `count` cycles after the anchor date (a negative count: before it). A cycle is
    `cycle_length` days or months; the anchor's day of the month is kept, the last day of a shorter
    month standing for it: 31 Jan, 28 Feb, 31 Mar. Always counted from the anchor, never chained.
#}
{% macro add_cycles(anchor_date, cycle_unit, cycle_length, count) -%}
    case
        when {{ cycle_unit }} = 'month'
            then {{ add_months(anchor_date, cycle_length ~ " * (" ~ count ~ ")") }}
        else {{ anchor_date }} + cast({{ cycle_length }} * ({{ count }}) as integer)
    end
{%- endmacro %}

{% macro add_months(day, months) -%}
    {{ return(adapter.dispatch("add_months")(day, months)) }}
{%- endmacro %}

{% macro default__add_months(day, months) -%}
    {{ exceptions.raise_compiler_error("add_months is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__add_months(day, months) -%}
    cast({{ day }} + to_months(cast({{ months }} as integer)) as date)
{%- endmacro %}

{% macro postgres__add_months(day, months) -%}
    cast({{ day }} + make_interval(months => cast({{ months }} as integer)) as date)
{%- endmacro %}

{#
    Number of the cycle (0 begins at the anchor) that holds a date, or one more where the anchor's
    day is late in the month: a bound to look from, the boundaries themselves decide.
#}
{% macro cycles_until(anchor_date, cycle_unit, cycle_length, day) -%}
    case
        when {{ cycle_unit }} = 'month'
            then {{ floor_divide(
                "(" ~ months_of(day) ~ " - " ~ months_of(anchor_date) ~ ")", cycle_length
            ) }}
        else {{ floor_divide(
            "cast(" ~ day ~ " - " ~ anchor_date ~ " as integer)", cycle_length
        ) }}
    end
{%- endmacro %}

{% macro months_of(day) -%}
    cast(extract(year from {{ day }}) * 12 + extract(month from {{ day }}) as integer)
{%- endmacro %}

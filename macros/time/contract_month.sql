{#
    Month of the contract that a local date lies in: 1 in the first month from the start date, the
    day of the month kept (31 Jan: the second begins on 28 Feb).
#}
{% macro contract_month(start_date, day) -%}
    (
        {{ months_of(day) }} - {{ months_of(start_date) }}
        + case
            when {{ add_months(start_date, months_of(day) ~ " - " ~ months_of(start_date)) }}
                > {{ day }} then 0
            else 1
        end
    )
{%- endmacro %}

{#
    A closed period that is rated again goes through rating under a number of its own, so that the
    models know no other rule for it: its number, and a million for each day from 1970 to the close
    that it is rated for. Numbers of one close are one *state* of the subscription, as known then;
    state 0 is what is rated for the first time.

    Worked example: period 3, known at the close of 2026-03-03 (day 20515): 20515000003.
#}
{% macro reopened_number(number, cutoff_at) -%}
    {{ number }} + cast(
        cast({{ cutoff_at }} as date) - cast('1970-01-01' as date) as {{ type_count() }}
    ) * 1000000
{%- endmacro %}

{# The period's own number. #}
{% macro own_number(number) -%} mod({{ number }}, 1000000) {%- endmacro %}

{# Which state of the subscription a number belongs to: 0, or the day of the close. #}
{% macro state_number(number) -%}
    ({{ number }} - mod({{ number }}, 1000000))
{%- endmacro %}

{# Whether it is rated for the first time. #}
{% macro is_first_rating(number) -%} {{ number }} < 1000000 {%- endmacro %}

{# The id that the line of a reopened period had when it was rated for the first time. #}
{% macro own_rated_line_id(lines, number) -%}
    {{ lines }}.subscription_id
    || '/' || cast({{ own_number(lines ~ "." ~ number) }} as {{ type_text() }})
    || substr(
        {{ lines }}.rated_line_id,
        length(
            {{ lines }}.subscription_id
            || '/' || cast({{ lines }}.{{ number }} as {{ type_text() }})
        ) + 1
    )
{%- endmacro %}

{# The number that a rated line's id says: subscription/number/charge/... #}
{% macro number_of_rated_line(subscription_id, rated_line_id) -%}
    cast(
        split_part(substr({{ rated_line_id }}, length({{ subscription_id }}) + 2), '/', 1)
        as {{ type_count() }}
    )
{%- endmacro %}

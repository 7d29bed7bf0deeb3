{#
    First UTC midnight at or after an instant (UTC).
#}
{% macro first_utc_midnight_at_or_after(instant) -%}
    case
        when cast(cast({{ instant }} as date) as {{ type_timestamp() }}) = {{ instant }}
            then cast(cast({{ instant }} as date) as {{ type_timestamp() }})
        else cast(cast({{ instant }} as date) as {{ type_timestamp() }}) + interval '1 day'
    end
{%- endmacro %}

{#
    The close that takes what is due at `due_at` and became known at `known_at`: the first UTC
    midnight at or after the one, but strictly after the other (known at D is recorded before the
    midnight that ends D).
#}
{% macro cutoff(due_at, known_at) -%}
    greatest(
        {{ first_utc_midnight_at_or_after(due_at) }},
        cast(cast({{ known_at }} as date) as {{ type_timestamp() }}) + interval '1 day'
    )
{%- endmacro %}

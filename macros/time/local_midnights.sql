{#
    One row per zone and local date of the CTE `days` (time_zone, local_date), with midnight_at: the
    first instant (UTC) of that local day. Of a midnight that a clock change repeats the first
    counts; one that it skips, or a day that it skips, begins with the first instant after it.
    No engine's own zone function has a say (DuckDB and PostgreSQL differ from the zones' rules
    and from each other). `segments` is int_subscriptions__zone_segments.
#}
{% macro local_midnights(days, segments) -%}
    select
        {{ days }}.time_zone,
        {{ days }}.local_date,
        min(
            greatest(
                {{ segments }}.utc_from,
                cast({{ days }}.local_date as {{ type_timestamp() }})
                - {{ segments }}.offset_seconds * interval '1 second'
            )
        ) as midnight_at
    from {{ days }}
    inner join {{ segments }}
        on
            {{ days }}.time_zone = {{ segments }}.time_zone
            and cast({{ days }}.local_date as {{ type_timestamp() }})
            - {{ segments }}.offset_seconds * interval '1 second' < {{ segments }}.utc_to
    group by
        {{ days }}.time_zone,
        {{ days }}.local_date
{%- endmacro %}

{#
    Local date of an instant (UTC) under an offset in seconds east of UTC.
#}
{% macro local_date(instant, offset_seconds) -%}
    cast({{ instant }} + {{ offset_seconds }} * interval '1 second' as date)
{%- endmacro %}

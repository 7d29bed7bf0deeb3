{#
    The mergeable parts of usage rows, merged: the columns that aggregations compute quantities
    from. `relation` has the columns of int_metering__rollups; what a restatement superseded is null.
#}
{% macro merged_usage_parts(relation) -%}
    cast(sum({{ relation }}.event_count) as {{ type_count() }}) as event_count,
    cast(sum({{ relation }}.value_sum) as {{ type_integral() }}) as value_sum,
    min({{ relation }}.value_min) as value_min,
    max({{ relation }}.value_max) as value_max,
    {{ value_at_greatest(relation ~ ".value_latest", relation ~ ".latest_order") }} as value_latest,
    max({{ binary_order(relation ~ ".latest_order") }}) as latest_order,
    cast(sum({{ relation }}.amount_sum) as {{ type_integral() }}) as amount_sum
{%- endmacro %}

{#
    A part of a rollup row that a void can take away, as known before routes.cutoff_date: null when a
    later load day stated the row's bucket anew. Reads the CTE `restated`.
#}
{% macro standing_part(column, has_restated) -%}
    {%- if not has_restated -%}
    rollups.{{ column }}
    {%- else -%}
    case
        when
            not exists (
                select 1
                from restated
                where
                    restated.customer_id = rollups.customer_id
                    and restated.subscription_id = rollups.subscription_id
                    and restated.subscription_item_id = rollups.subscription_item_id
                    and restated.meter_profile = rollups.meter_profile
                    and restated.dimensions = rollups.dimensions
                    and restated.bucket_from = rollups.bucket_from
                    and restated.load_day > rollups.load_day
                    and restated.load_day < routes.cutoff_date
            )
            then rollups.{{ column }}
    end
    {%- endif -%}
{%- endmacro %}

{# Buckets that a void made state their minimum, maximum or latest anew; few, if any. #}
{% macro restated_rollups() -%}
    select
        load_day,
        customer_id,
        subscription_id,
        subscription_item_id,
        meter_profile,
        dimensions,
        bucket_from
    from {{ ref("int_metering__rollups") }}
    where is_restated
{%- endmacro %}

{# Whether there is one, so that without it no row is compared with any. #}
{% macro has_restated_rollups() -%}
    {%- set rollups = ref("int_metering__rollups") -%}
    {%- if not execute or flags.WHICH in ["parse", "list", "ls"] -%} {{ return(false) }} {%- endif -%}
    {{ return(run_query(
        "select count(*) from (select 1 as one from " ~ rollups
        ~ " where is_restated limit 1) as first_row"
    ).rows[0][0] > 0) }}
{%- endmacro %}

{# The names of the profiles that some test holds for, as SQL literals; '' when there are none. #}
{% macro profile_literals(profiles) -%}
    {%- set literals = [] -%}
    {%- for profile in profiles -%}
        {%- do literals.append(text_literal(profile["meter_profile"])) -%}
    {%- endfor -%}
    {{ return(literals | join(", ") or "''") }}
{%- endmacro %}

{# Profiles whose aggregation has `value` under `key`. #}
{% macro profiles_where(profiles, key, value) -%}
    {%- set found = [] -%}
    {%- for profile in profiles if profile["aggregation"][key] == value -%}
        {%- do found.append(profile) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{# Microseconds since 1970 of the event that an event_order text was made from. #}
{% macro event_order_microseconds(event_order) -%}
    cast(substr({{ event_order }}, 1, 20) as bigint)
{%- endmacro %}

{# The month of an instant as a number, and the months that [from, to) touches as rows. #}
{% macro month_number(instant) -%}
    cast(extract(year from {{ instant }}) * 12 + extract(month from {{ instant }}) as integer)
{%- endmacro %}

{% macro month_numbers(first_instant, end_instant) -%}
    {{ return(adapter.dispatch("month_numbers")(first_instant, end_instant)) }}
{%- endmacro %}

{% macro default__month_numbers(first_instant, end_instant) -%}
    {{ exceptions.raise_compiler_error("month_numbers is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__month_numbers(first_instant, end_instant) -%}
    unnest(range({{ month_number(first_instant) }}, {{ month_number(end_instant) }} + 1))
{%- endmacro %}

{% macro postgres__month_numbers(first_instant, end_instant) -%}
    generate_series({{ month_number(first_instant) }}, {{ month_number(end_instant) }})
{%- endmacro %}

{# How many values a price row's dimension_values name. #}
{% macro named_value_count(dimension_values) -%}
    case
        when {{ dimension_values }} = '' then 0
        else length({{ dimension_values }}) - length(replace({{ dimension_values }}, '|', '')) + 1
    end
{%- endmacro %}

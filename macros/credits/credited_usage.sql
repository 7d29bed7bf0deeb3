{#
    What each load day added to the usage of price rows that draw on credits day by day
    (int_credits__usage): by the local day on which it happened. Of a closed period that is rated
    again all of it counts from its close; what was known before the run's first posting day counts
    from the day before that, or, where the catalogue changed, as if it came in on that day: what it
    comes to is compared with what was asked. Of a greatest value: what the load day added to the
    maximum through the day, above that through the day before. Values 3, 8 of days 1, 2 are 3, 5; a 6
    of day 1 that comes in later is 3 there, and -3 on day 2.

    Columns: line_number (of int_credits__lines), known_date, usage_date, event_count, quantity, usage_amount: differences.
#}
{% macro credited_usage() -%}
    {%- if not has_grants() -%}
    {{ no_rows([
        ("line_number", type_count()),
        ("known_date", "date"),
        ("usage_date", "date"),
        ("event_count", type_count()),
        ("quantity", type_integral()),
        ("usage_amount", type_integral()),
    ]) }}
    {%- else -%}
    {%- set profiles = accruing_profiles(meter_profiles()) -%}
    {%- set counted = profile_literals(profiles | selectattr("aggregation_name", "equalto", "count") | list) -%}
    {%- set unique = profile_literals(profiles_where(profiles, "keeps", "values")) -%}
    {%- set maximums = greatest_profiles(profiles) -%}
    {%- set greatest_of = profile_literals(maximums) -%}
    {%- set may_fall = maximums and has_voided_events() -%}
    {%- set cell = [
        "line_number", "subscription_ref", "item_ref", "dimensions", "bucket_from", "event_order",
    ] -%}
    with

    rollups as (

        select * from {{ ref("int_metering__rollups") }}
        where outcome = 'metered'

    ),

    edge_usage as (

        select * from {{ ref("int_rating__edge_usage") }}

    ),

    lines as (

        select * from {{ ref("int_credits__lines") }}

    ),

    -- Once for each currency or unit of credit that the customer has grants in.
    granted_periods as (

        select * from {{ ref("int_credits__periods") }}

    ),

    periods as (

        select distinct
            subscription_id,
            period_number,
            time_zone,
            period_from_date
        from granted_periods

    ),

    {{ usage_stretches(profiles) }},

    matched_rows as (

        select
            matched_rows.slice_id,
            matched_rows.dimensions,
            lines.line_number,
            lines.meter_profile,
            lines.is_first_rating,
            {{ first_posting_date() }}
            - case when lines.is_kept and {{ has_new_inputs() | lower }} then 0 else 1 end
                as base_date,
            cast(lines.cutoff_at as date) as cutoff_date
        from {{ ref("int_rating__matched_rows") }} as matched_rows
        inner join lines
            on
                matched_rows.subscription_id = lines.subscription_id
                and matched_rows.period_number = lines.period_number
                and matched_rows.charge_id = lines.charge_id
                and matched_rows.part_number = lines.part_number
                and matched_rows.price_row_id = lines.price_row_id

    ),

    edges as (

        select
            stretches.slice_id,
            stretches.meter_profile,
            stretches.cutoff_date,
            edge_usage.*,
            greatest(
                {{ local_date("edge_usage.occurred_at", "stretches.offset_seconds") }},
                stretches.period_from_date
            ) as usage_date
        from edge_usage
        inner join stretches
            on
                edge_usage.customer_id = stretches.customer_id
                and edge_usage.meter_profile = stretches.meter_profile
                and edge_usage.subscription_ref = stretches.subscription_ref
                and edge_usage.item_ref = stretches.item_ref
                and edge_usage.occurred_at >= greatest(stretches.route_from, stretches.utc_from)
                and edge_usage.occurred_at < least(stretches.route_to, stretches.utc_to)
                and edge_usage.load_day < stretches.cutoff_date
                and (
                    edge_usage.occurred_at < stretches.full_from
                    or edge_usage.occurred_at >= stretches.full_to
                )

    ),

    placed as (

        select
            routes.slice_id,
            rollups.dimensions,
            rollups.load_day,
            greatest(
                {{ local_date("rollups.bucket_from", "routes.offset_seconds") }},
                routes.period_from_date
            ) as usage_date,
            rollups.value_key,
            rollups.event_count,
            rollups.value_sum,
            rollups.amount_sum
            {%- if maximums %},
            rollups.value_max,
            rollups.is_restated,
            rollups.subscription_id as subscription_ref,
            rollups.subscription_item_id as item_ref,
            rollups.bucket_from,
            cast(null as {{ type_text() }}) as event_order
            {%- endif %}
        from rollups
        inner join routes
            on
                rollups.customer_id = routes.customer_id
                and rollups.meter_profile = routes.meter_profile
                and rollups.subscription_id = routes.subscription_ref
                and rollups.subscription_item_id = routes.item_ref
                and routes.bucket_month = {{ month_number("rollups.bucket_from") }}
                and rollups.bucket_from >= routes.stretch_from
                and rollups.bucket_from < routes.stretch_to
                and rollups.load_day < routes.cutoff_date

        union all

        select
            slice_id,
            dimensions,
            load_day,
            usage_date,
            value_key,
            1 as event_count,
            number_value as value_sum,
            amount_value as amount_sum
            {%- if maximums %},
            case when void_day > load_day or void_day is null then number_value end as value_max,
            false as is_restated,
            subscription_ref,
            item_ref,
            cast(null as {{ type_timestamp() }}) as bucket_from,
            event_order
            {%- endif %}
        from edges

        union all

        select
            slice_id,
            dimensions,
            void_day as load_day,
            usage_date,
            value_key,
            -1 as event_count,
            -number_value as value_sum,
            -amount_value as amount_sum
            {%- if maximums %},
            null as value_max,
            true as is_restated,
            subscription_ref,
            item_ref,
            cast(null as {{ type_timestamp() }}) as bucket_from,
            event_order
            {%- endif %}
        from edges
        where void_day < cutoff_date

    ),

    -- An event that was voided on the day on which it was loaded was never there.
    routed as (

        select
            matched_rows.line_number,
            matched_rows.meter_profile,
            case
                when matched_rows.is_first_rating
                    then greatest(placed.load_day, matched_rows.base_date)
                else matched_rows.cutoff_date - cast(1 as integer)
            end as known_date,
            placed.usage_date,
            placed.value_key,
            placed.event_count,
            placed.value_sum,
            placed.amount_sum
            {%- if maximums %},
            placed.load_day,
            placed.value_max,
            placed.is_restated,
            placed.subscription_ref,
            placed.item_ref,
            placed.dimensions,
            placed.bucket_from,
            placed.event_order
            {%- endif %}
        from placed
        inner join matched_rows
            on
                placed.slice_id = matched_rows.slice_id
                and placed.dimensions = matched_rows.dimensions

    ),

    -- A value counts on the first day that has it, as known then: it moves there where an earlier
    -- one comes in late, and away where its events are voided.
    value_days as (

        select
            line_number,
            value_key,
            known_date,
            usage_date,
            sum(event_count) as event_count
        from routed
        where meter_profile in ({{ unique }})
        group by
            line_number,
            value_key,
            known_date,
            usage_date

    ),

    value_moments as (

        select
            line_number,
            value_key,
            known_date
        from value_days
        group by
            line_number,
            value_key,
            known_date

    ),

    standing_values as (

        select
            value_moments.line_number,
            value_moments.value_key,
            value_moments.known_date,
            value_days.usage_date,
            sum(value_days.event_count) as event_count
        from value_moments
        inner join value_days
            on
                value_moments.line_number = value_days.line_number
                and value_moments.value_key = value_days.value_key
                and value_moments.known_date >= value_days.known_date
        group by
            value_moments.line_number,
            value_moments.value_key,
            value_moments.known_date,
            value_days.usage_date

    ),

    first_values as (

        select
            line_number,
            value_key,
            known_date,
            min(case when event_count > 0 then usage_date end) as usage_date
        from standing_values
        group by
            line_number,
            value_key,
            known_date

    ),

    moved_values as (

        select
            *,
            lag(usage_date) over (
                partition by line_number, value_key
                order by known_date
            ) as date_before
        from first_values

    ),

    value_changes as (

        select
            line_number,
            known_date,
            usage_date,
            1 as value_count
        from moved_values
        where usage_date is not null and usage_date is distinct from date_before

        union all

        select
            line_number,
            known_date,
            date_before as usage_date,
            -1 as value_count
        from moved_values
        where date_before is not null and usage_date is distinct from date_before

    ),

    {%- if maximums %}

    peak_rows as (

        select * from routed
        where meter_profile in ({{ greatest_of }})

    ),

    {% if may_fall -%}
    {{ fallen_peaks(cell) }},

    {% endif -%}
    -- The greatest value of each day of usage, whenever it changes.
    day_peaks as (

        select
            line_number,
            usage_date,
            known_date,
            max(max(value_max)) over (
                partition by line_number, usage_date
                order by known_date
            ) as value_peak
        from peak_rows
        {%- if may_fall %}
        where
            not exists (
                select 1
                from fallen_days
                where
                    fallen_days.line_number = peak_rows.line_number
                    and fallen_days.usage_date = peak_rows.usage_date
            )
        {%- endif %}
        group by
            line_number,
            usage_date,
            known_date
        {%- if may_fall %}

        union all

        select
            line_number,
            usage_date,
            known_date,
            value_peak
        from fallen_day_peaks
        {%- endif %}

    ),

    ordered_peaks as (

        select
            *,
            max(usage_date) over (
                partition by line_number
                order by known_date, usage_date
                rows between unbounded preceding and 1 preceding
            ) as date_before
        from day_peaks

    ),

    -- Usage that reaches back, and voids, move the maximum through days that were known already.
    reaching_peaks as (

        select line_number
        from ordered_peaks
        where usage_date < date_before
        {%- if may_fall %}

        union

        select line_number
        from fallen_days
        {%- else %}
        group by line_number
        {%- endif %}

    ),

    growing_peaks as (

        select
            line_number,
            known_date,
            usage_date,
            max(value_peak) over (
                partition by line_number
                order by known_date, usage_date
                rows between unbounded preceding and current row
            ) as value_peak
        from day_peaks
        where line_number not in (select line_number from reaching_peaks)

    ),

    peak_spans as (

        select
            day_peaks.*,
            lead(day_peaks.known_date) over (
                partition by day_peaks.line_number, day_peaks.usage_date
                order by day_peaks.known_date
            ) as known_to
        from day_peaks
        inner join reaching_peaks
            on day_peaks.line_number = reaching_peaks.line_number

    ),

    peak_moments as (

        select
            line_number,
            known_date
        from peak_spans
        group by
            line_number,
            known_date

    ),

    peaks_through as (

        select
            peak_moments.line_number,
            peak_moments.known_date,
            peak_spans.usage_date,
            coalesce(
                max(peak_spans.value_peak) over (
                    partition by peak_moments.line_number, peak_moments.known_date
                    order by peak_spans.usage_date
                    rows between unbounded preceding and current row
                ), 0
            ) as value_peak
        from peak_moments
        inner join peak_spans
            on
                peak_moments.line_number = peak_spans.line_number
                and peak_moments.known_date >= peak_spans.known_date
                and peak_moments.known_date < coalesce(
                    peak_spans.known_to, cast('9999-12-31' as date)
                )

    ),

    peak_rises as (

        select
            line_number,
            known_date,
            usage_date,
            value_peak - coalesce(
                lag(value_peak) over (
                    partition by line_number, known_date
                    order by usage_date
                ), 0
            ) as value_rise
        from peaks_through

    ),

    -- What each load day adds to the maximum through a day, above that through the day before: such
    -- differences add up as those of a sum do.
    peak_changes as (

        select
            line_number,
            known_date,
            usage_date,
            value_peak - coalesce(
                lag(value_peak) over (
                    partition by line_number
                    order by known_date, usage_date
                ), 0
            ) as value_change
        from growing_peaks

        union all

        select
            line_number,
            known_date,
            usage_date,
            value_rise - coalesce(
                lag(value_rise) over (
                    partition by line_number, usage_date
                    order by known_date
                ), 0
            ) as value_change
        from peak_rises

    ),
    {%- endif %}

    changes as (

        select
            line_number,
            known_date,
            usage_date,
            event_count,
            case
                when meter_profile in ({{ counted }}) then cast(event_count as {{ type_integral() }})
                when meter_profile in ({{ unique }}) then cast(0 as {{ type_integral() }})
                {%- if maximums %}
                when meter_profile in ({{ greatest_of }}) then cast(0 as {{ type_integral() }})
                {%- endif %}
                else cast(coalesce(value_sum, 0) as {{ type_integral() }})
            end as quantity,
            cast(coalesce(amount_sum, 0) as {{ type_integral() }}) as usage_amount
        from routed

        union all

        select
            line_number,
            known_date,
            usage_date,
            0 as event_count,
            cast(value_count as {{ type_integral() }}) as quantity,
            cast(0 as {{ type_integral() }}) as usage_amount
        from value_changes
        {%- if maximums %}

        union all

        select
            line_number,
            known_date,
            usage_date,
            0 as event_count,
            cast(value_change as {{ type_integral() }}) as quantity,
            cast(0 as {{ type_integral() }}) as usage_amount
        from peak_changes
        where value_change <> 0
        {%- endif %}

    )

    select
        line_number,
        known_date,
        usage_date,
        cast(sum(event_count) as {{ type_count() }}) as event_count,
        cast(sum(quantity) as {{ type_integral() }}) as quantity,
        cast(sum(usage_amount) as {{ type_integral() }}) as usage_amount
    from changes
    group by
        line_number,
        known_date,
        usage_date
    {%- endif %}
{%- endmacro %}

{#
    The CTEs `fallen_days` and `fallen_day_peaks`: days of which a void may have taken the greatest
    value away, and that value whenever it changes. A cell is a quarter of an hour, or an event of one
    that a bound cuts: what it holds is told again from the load day on that voids something of it.
    Reads the CTE `peak_rows`.
#}
{% macro fallen_peaks(cell) -%}
    {%- set cell_columns = cell | join(", ") -%}
    fallen_days as (

        select
            line_number,
            usage_date
        from peak_rows
        where is_restated
        group by
            line_number,
            usage_date

    ),

    fallen_rows as (

        select
            peak_rows.*,
            sum(case when peak_rows.is_restated then 1 else 0 end) over (
                partition by peak_rows.{{ cell | join(", peak_rows.") }}
                order by peak_rows.load_day
            ) as fall_number
        from peak_rows
        inner join fallen_days
            on
                peak_rows.line_number = fallen_days.line_number
                and peak_rows.usage_date = fallen_days.usage_date

    ),

    cell_states as (

        select
            *,
            max(value_max) over (
                partition by {{ cell_columns }}, fall_number
                order by load_day
            ) as value_peak,
            row_number() over (
                partition by {{ cell_columns }}, known_date
                order by load_day desc
            ) as recency
        from fallen_rows

    ),

    cell_spans as (

        select
            line_number,
            usage_date,
            known_date,
            value_peak,
            lead(known_date) over (
                partition by {{ cell_columns }}
                order by known_date
            ) as known_to
        from cell_states
        where recency = 1

    ),

    fallen_moments as (

        select
            line_number,
            usage_date,
            known_date
        from cell_spans
        group by
            line_number,
            usage_date,
            known_date

    ),

    fallen_day_peaks as (

        select
            fallen_moments.line_number,
            fallen_moments.usage_date,
            fallen_moments.known_date,
            max(cell_spans.value_peak) as value_peak
        from fallen_moments
        inner join cell_spans
            on
                fallen_moments.line_number = cell_spans.line_number
                and fallen_moments.usage_date = cell_spans.usage_date
                and fallen_moments.known_date >= cell_spans.known_date
                and fallen_moments.known_date < coalesce(
                    cell_spans.known_to, cast('9999-12-31' as date)
                )
        group by
            fallen_moments.line_number,
            fallen_moments.usage_date,
            fallen_moments.known_date

    )
{%- endmacro %}

{#
    Profiles whose quantity no further event lowers (but for voids and negative values of a sum): what
    a day adds can be paid for on that day. Others are known when the period closes.
#}
{% macro accruing_profiles(profiles) -%}
    {%- set found = [] -%}
    {%- for profile in profiles
        if profile["aggregation_name"] in ("count", "sum", "count_unique", "max")
        and not (profile["multiplier"] or "").startswith("-") -%}
        {%- do found.append(profile) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{# Profiles whose quantity is their greatest value. #}
{% macro greatest_profiles(profiles) -%}
    {{ return(profiles | selectattr("aggregation_name", "equalto", "max") | list) }}
{%- endmacro %}

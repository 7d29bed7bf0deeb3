{#
    What is asked of credits, or given back, at each moment of the run (int_credits__steps): changes
    of a line's target per day of usage. A moment is a posting day and a number: 0 what the day's
    load moved, 1 what closes at the midnight that ends the day, then the documents of actions.

    The target of a closed line is the vector of its last rating (steps per day of usage), its running
    sum capped at the net of all that was posted for the line, the rest of the net on the line's own
    day: the first of a fee in advance, else the last of its period. So what discounts took off goes
    from the latest days, and a minimum or a fee stands on one day.

    Worked example: steps 6.00, 5.00, 4.00; the line nets 12.00 after a discount: 6.00, 5.00, 1.00.
    It nets 17.00 with its minimum on a line of its own: 6.00, 5.00, 4.00, and that line's 2.00 last.
#}
{% macro credited_steps() -%}
    {%- if not has_grants() -%}
    {{ no_rows(credited_step_columns()) }}
    {%- else -%}
    with

    granted as (

        select
            customer_id,
            currency,
            min(recorded_date) as granted_from_date
        from {{ ref("int_credits__grants") }}
        group by
            customer_id,
            currency

    ),

    netted as (

        select * from {{ ref("int_credits__moments") }}

    ),

    ratings as (

        select * from {{ ref("int_credits__ratings") }}

    ),

    periods as (

        select * from {{ ref("int_credits__periods") }}

    ),

    lines as (

        select * from {{ ref("int_credits__lines") }}
        where is_first_rating

    ),

    daily_targets as (

        select * from {{ ref("int_credits__daily_targets") }}

    ),

    invoice_periods as (

        select * from {{ ref("int_invoicing__invoice_periods") }}

    ),

    rated_lines as (

        select * from {{ ref("rated_lines") }}

    ),

    plans as (

        select * from {{ ref("stg_catalog__plans") }}

    ),

    charges as (

        select * from {{ ref("stg_catalog__charges") }}

    ),

    rating_moments as (

        select
            own_rated_line_id,
            posted_date,
            moment_number,
            is_kept,
            sum(step_total) as whole_total
        from ratings
        group by
            own_rated_line_id,
            posted_date,
            moment_number,
            is_kept

    ),

    -- The rating that a moment goes by, and that of the moment before. Of a close that knew no grant
    -- nothing was kept, whenever it is built: then the net is compared by the new rating.
    pairs as (

        select
            netted.own_rated_line_id,
            netted.posted_date,
            netted.moment_number,
            rating_moments.posted_date as rated_date,
            rating_moments.moment_number as rated_number,
            rating_moments.whole_total,
            netted.posted_date = rating_moments.posted_date
            and netted.moment_number = rating_moments.moment_number as is_own,
            row_number() over (
                partition by
                    netted.own_rated_line_id,
                    netted.posted_date,
                    netted.moment_number
                order by rating_moments.posted_date desc, rating_moments.moment_number desc
            ) as recency
        from netted
        inner join rating_moments
            on
                netted.own_rated_line_id = rating_moments.own_rated_line_id
                and (
                    netted.posted_date > rating_moments.posted_date
                    or (
                        netted.posted_date = rating_moments.posted_date
                        and netted.moment_number >= rating_moments.moment_number
                    )
                )
        where
            rating_moments.is_kept
            or (
                netted.posted_date = rating_moments.posted_date
                and netted.moment_number = rating_moments.moment_number
            )

    ),

    chosen_ratings as (

        select
            own_rated_line_id,
            posted_date,
            moment_number,
            max(case when recency = 1 then rated_date end) as now_date,
            max(case when recency = 1 then rated_number end) as now_number,
            max(case when recency = 1 then whole_total end) as whole_total,
            coalesce(
                max(case when recency = 1 and not is_own then rated_date end),
                max(case when recency = 2 then rated_date end),
                max(case when recency = 1 then rated_date end)
            ) as before_date,
            coalesce(
                max(case when recency = 1 and not is_own then rated_number end),
                max(case when recency = 2 then rated_number end),
                max(case when recency = 1 then rated_number end)
            ) as before_number
        from pairs
        where recency <= 2
        group by
            own_rated_line_id,
            posted_date,
            moment_number

    ),

    -- What lines say of themselves. One that is posted for the first time by a correction has the
    -- id of that rating. (Asked for by two equalities: by one condition it would be a nested loop.)
    line_ids as (

        select
            own_rated_line_id,
            own_rated_line_id as rated_line_id
        from netted

        union

        select
            own_rated_line_id,
            rated_line_id
        from netted

    ),

    described as (

        select
            line_ids.own_rated_line_id,
            rated_lines.subscription_id,
            rated_lines.plan_id,
            rated_lines.charge_id,
            rated_lines.line_kind,
            rated_lines.charge_position,
            rated_lines.part_number,
            rated_lines.price_position,
            rated_lines.dimension_values,
            rated_lines.period_from,
            rated_lines.period_to,
            row_number() over (
                partition by line_ids.own_rated_line_id
                order by
                    case
                        when rated_lines.rated_line_id = line_ids.own_rated_line_id then 1
                        else 2
                    end,
                    {{ binary_order('rated_lines.rated_line_id') }}
            ) as preference
        from line_ids
        inner join rated_lines
            on line_ids.rated_line_id = rated_lines.rated_line_id

    ),

    own_days as (

        select
            described.own_rated_line_id,
            case
                when charges.timing = 'advance'
                    then {{ local_date('described.period_from', 'zone_segments.offset_seconds') }}
                else {{ local_date(
                    "(described.period_to - interval '1 microsecond')",
                    'zone_segments.offset_seconds'
                ) }}
            end as own_date
        from described
        inner join {{ ref("int_subscriptions__periods") }} as subscription_periods
            on
                described.subscription_id = subscription_periods.subscription_id
                and greatest(
                    {{ number_of_rated_line(
                        'described.subscription_id', 'described.own_rated_line_id'
                    ) }},
                    1
                ) = subscription_periods.period_number
        left join charges
            on
                described.plan_id = charges.plan_id
                and described.charge_id = charges.charge_id
                and described.line_kind = 'recurring'
        inner join {{ ref("int_subscriptions__zone_segments") }} as zone_segments
            on
                subscription_periods.time_zone = zone_segments.time_zone
                and zone_segments.utc_from <= case
                    when charges.timing = 'advance' then described.period_from
                    else described.period_to - interval '1 microsecond'
                end
                and zone_segments.utc_to > case
                    when charges.timing = 'advance' then described.period_from
                    else described.period_to - interval '1 microsecond'
                end
        where described.preference = 1

    ),

    -- A line at a moment goes by a number, of no meaning outside this query. One that closes at what
    -- its days come to asks for no more than it did: most do, and need not be looked at by the day.
    line_moments as (

        select
            netted.own_rated_line_id,
            netted.posted_date,
            netted.moment_number,
            netted.customer_id,
            netted.currency,
            netted.subscription_id,
            netted.invoice_id,
            netted.is_own_close,
            greatest(netted.net_total, 0) as net_now,
            greatest(netted.net_before, 0) as net_before,
            own_days.own_date,
            chosen_ratings.now_date,
            chosen_ratings.now_number,
            chosen_ratings.before_date,
            chosen_ratings.before_number,
            row_number() over (
                order by netted.own_rated_line_id, netted.posted_date, netted.moment_number
            ) as moment_rank
        from netted
        inner join own_days
            on netted.own_rated_line_id = own_days.own_rated_line_id
        left join chosen_ratings
            on
                netted.own_rated_line_id = chosen_ratings.own_rated_line_id
                and netted.posted_date = chosen_ratings.posted_date
                and netted.moment_number = chosen_ratings.moment_number
        where
            not netted.is_own_close
            or greatest(netted.net_total, 0) <> coalesce(chosen_ratings.whole_total, 0)

    ),

    vector_rows as (

        select
            line_moments.moment_rank,
            ratings.usage_date,
            ratings.step_total as step_now,
            0 as step_before
        from line_moments
        inner join ratings
            on
                line_moments.own_rated_line_id = ratings.own_rated_line_id
                and line_moments.now_date = ratings.posted_date
                and line_moments.now_number = ratings.moment_number

        union all

        select
            line_moments.moment_rank,
            ratings.usage_date,
            0 as step_now,
            ratings.step_total as step_before
        from line_moments
        inner join ratings
            on
                line_moments.own_rated_line_id = ratings.own_rated_line_id
                and line_moments.before_date = ratings.posted_date
                and line_moments.before_number = ratings.moment_number

        union all

        select
            moment_rank,
            own_date as usage_date,
            0 as step_now,
            0 as step_before
        from line_moments

    ),

    vectors as (

        select
            moment_rank,
            usage_date,
            cast(sum(step_now) as {{ type_total() }}) as step_now,
            cast(sum(step_before) as {{ type_total() }}) as step_before
        from vector_rows
        group by
            moment_rank,
            usage_date

    ),

    wholes as (

        select
            moment_rank,
            sum(step_now) as whole_now,
            sum(step_before) as whole_before
        from vectors
        group by moment_rank

    ),

    running as (

        select
            moment_rank,
            usage_date,
            step_now,
            step_before,
            sum(step_now) over days_so_far as through_now,
            sum(step_before) over days_so_far as through_before
        from vectors
        window
            days_so_far as (
                partition by moment_rank
                order by usage_date
                rows between unbounded preceding and current row
            )

    ),

    summed as (

        select
            line_moments.*,
            running.usage_date,
            running.step_now,
            running.step_before,
            running.through_now,
            running.through_before,
            wholes.whole_now,
            wholes.whole_before
        from running
        inner join wholes
            on running.moment_rank = wholes.moment_rank
        inner join line_moments
            on running.moment_rank = line_moments.moment_rank

    ),

    -- Until it closed, a line asked for the steps that were known.
    closing_targets as (

        select
            summed.*,
            {{ capped_step('summed', 'now') }} as target_total,
            case
                when summed.is_own_close then summed.step_now
                else {{ capped_step('summed', 'before') }}
            end as target_before
        from summed

    ),

    -- A line that is no longer rated, because the catalogue changed, asks for nothing.
    vanished as (

        select
            periods.customer_id,
            periods.currency,
            periods.subscription_id,
            periods.own_period_number,
            periods.cutoff_at,
            kept_steps.rated_line_id as own_rated_line_id,
            kept_steps.usage_date
        from {{ source("ledger", "credit_steps") }} as kept_steps
        inner join periods
            on
                kept_steps.subscription_id = periods.subscription_id
                and {{ number_of_rated_line(
                    'kept_steps.subscription_id', 'kept_steps.rated_line_id'
                ) }} = periods.period_number
                and coalesce(kept_steps.currency, periods.billed_currency) = periods.currency
        left join lines
            on kept_steps.rated_line_id = lines.rated_line_id
        left join daily_targets
            on
                lines.line_number = daily_targets.line_number
                and kept_steps.usage_date = daily_targets.usage_date
                and daily_targets.known_date = {{ first_posting_date() }}
        where
            {{ has_new_inputs() | lower }}
            and daily_targets.line_number is null
            and kept_steps.posted_date < {{ first_posting_date() }}
        group by
            periods.customer_id,
            periods.currency,
            periods.subscription_id,
            periods.own_period_number,
            periods.cutoff_at,
            kept_steps.rated_line_id,
            kept_steps.usage_date

    ),

    -- Who tells steps of a line: its rating, nothing any more, a document. What is said of a line is
    -- the same wherever the same tells it, and is put on its steps at the very end.
    open_lines as (

        select
            lines.rated_line_id as own_rated_line_id,
            1 as told_by,
            lines.line_number,
            lines.is_kept,
            lines.customer_id,
            lines.currency,
            lines.subscription_id,
            lines.own_period_number,
            lines.cutoff_at,
            lines.plan_id,
            lines.charge_id,
            lines.charge_position,
            lines.part_number,
            lines.price_position,
            lines.dimension_values
        from lines

        union all

        select
            own_rated_line_id,
            2 as told_by,
            cast(null as {{ type_count() }}) as line_number,
            true as is_kept,
            customer_id,
            currency,
            subscription_id,
            own_period_number,
            cutoff_at,
            cast(null as {{ type_text() }}) as plan_id,
            cast(null as {{ type_text() }}) as charge_id,
            cast(null as integer) as charge_position,
            cast(null as integer) as part_number,
            cast(null as integer) as price_position,
            cast(null as {{ type_text() }}) as dimension_values
        from vanished
        group by
            own_rated_line_id,
            customer_id,
            currency,
            subscription_id,
            own_period_number,
            cutoff_at

    ),

    accounts_of_lines as (

        select
            own_rated_line_id,
            customer_id,
            currency
        from netted
        group by
            own_rated_line_id,
            customer_id,
            currency

    ),

    told_lines as (

        select
            open_lines.own_rated_line_id,
            open_lines.told_by,
            open_lines.line_number,
            open_lines.is_kept,
            open_lines.customer_id,
            open_lines.currency,
            open_lines.subscription_id,
            open_lines.cutoff_at,
            invoice_periods.invoice_id,
            'usage' as line_kind,
            open_lines.plan_id,
            open_lines.charge_id,
            open_lines.charge_position,
            open_lines.part_number,
            open_lines.price_position,
            open_lines.dimension_values
        from open_lines
        inner join invoice_periods
            on
                open_lines.subscription_id = invoice_periods.subscription_id
                and open_lines.own_period_number = invoice_periods.invoice_number_in_subscription

        union all

        select
            described.own_rated_line_id,
            3 as told_by,
            cast(null as {{ type_count() }}) as line_number,
            true as is_kept,
            accounts_of_lines.customer_id,
            accounts_of_lines.currency,
            described.subscription_id,
            cast(null as {{ type_timestamp() }}) as cutoff_at,
            cast(null as {{ type_text() }}) as invoice_id,
            described.line_kind,
            described.plan_id,
            described.charge_id,
            described.charge_position,
            described.part_number,
            described.price_position,
            described.dimension_values
        from described
        inner join accounts_of_lines
            on described.own_rated_line_id = accounts_of_lines.own_rated_line_id
        where described.preference = 1

    ),

    -- line_place: the order of lines within a day of usage.
    placed_lines as (

        select
            told_lines.*,
            dense_rank() over (order by own_rated_line_id) as line_rank,
            row_number() over (
                order by
                    case
                        when line_kind in ('true_up', 'overage') then 3
                        when line_kind in ('usage', 'minimum') then 2
                        else 1
                    end,
                    {{ binary_order('subscription_id') }},
                    charge_position,
                    {{ binary_order('charge_id') }},
                    part_number,
                    case when line_kind = 'minimum' then 2 else 1 end,
                    price_position,
                    {{ binary_order('dimension_values') }},
                    {{ binary_order('own_rated_line_id') }},
                    told_by
            ) as line_place
        from told_lines

    ),

    open_states as (

        select
            placed_lines.line_place,
            placed_lines.line_rank,
            daily_targets.known_date,
            daily_targets.usage_date,
            daily_targets.has_late_usage,
            daily_targets.target_total
        from daily_targets
        inner join placed_lines
            on daily_targets.line_number = placed_lines.line_number
        where
            daily_targets.known_date >= {{ first_posting_date() }}
            or not placed_lines.is_kept

        union all

        select
            placed_lines.line_place,
            placed_lines.line_rank,
            {{ first_posting_date() }} as known_date,
            vanished.usage_date,
            true as has_late_usage,
            0 as target_total
        from vanished
        inner join placed_lines
            on
                vanished.own_rated_line_id = placed_lines.own_rated_line_id
                and placed_lines.told_by = 2

    ),

    asked_before as (

        select
            line_ranks.line_rank,
            kept_steps.usage_date,
            cast(sum(kept_steps.asked_total) as {{ type_total() }}) as target_total
        from {{ source("ledger", "credit_steps") }} as kept_steps
        inner join
            (
                select distinct
                    own_rated_line_id,
                    line_rank
                from placed_lines
            ) as line_ranks
            on kept_steps.rated_line_id = line_ranks.own_rated_line_id
        where
            kept_steps.subscription_id in (select subscription_id from periods)
            and kept_steps.posted_date < {{ first_posting_date() }}
        group by
            line_ranks.line_rank,
            kept_steps.usage_date

    ),

    -- Only of a line with usage that came in late, or with a day that is no longer rated, can the run
    -- tell the same day of usage twice.
    retold_lines as (

        select line_rank
        from open_states
        where has_late_usage
        group by line_rank

    ),

    retold_states as (

        select
            open_states.line_rank,
            open_states.known_date,
            open_states.usage_date,
            lag(open_states.usage_date) over states_so_far as usage_date_before,
            lag(open_states.target_total) over states_so_far as total_before
        from open_states
        inner join retold_lines
            on open_states.line_rank = retold_lines.line_rank
        window
            states_so_far as (
                partition by open_states.line_rank
                order by open_states.usage_date, open_states.known_date
            )

    ),

    open_targets as (

        select
            open_states.line_place,
            open_states.known_date,
            open_states.usage_date,
            open_states.target_total,
            coalesce(retold_states.total_before, asked_before.target_total, 0) as target_before
        from open_states
        left join retold_states
            on
                open_states.line_rank = retold_states.line_rank
                and open_states.known_date = retold_states.known_date
                and open_states.usage_date = retold_states.usage_date
                and open_states.usage_date = retold_states.usage_date_before
        left join asked_before
            on
                open_states.line_rank = asked_before.line_rank
                and open_states.usage_date = asked_before.usage_date

    ),

    steps as (

        select
            line_place,
            known_date as posted_date,
            0 as moment_number,
            usage_date,
            target_total,
            target_before,
            cast(null as {{ type_text() }}) as invoice_id
        from open_targets
        where
            known_date >= {{ first_posting_date() }}
            and target_total <> target_before

        union all

        select
            placed_lines.line_place,
            closing_targets.posted_date,
            closing_targets.moment_number,
            closing_targets.usage_date,
            closing_targets.target_total,
            closing_targets.target_before,
            closing_targets.invoice_id
        from closing_targets
        inner join placed_lines
            on
                closing_targets.own_rated_line_id = placed_lines.own_rated_line_id
                and placed_lines.told_by = 3
        where closing_targets.target_total <> closing_targets.target_before

    ),

    step_lines as (

        select
            placed_lines.line_place,
            placed_lines.own_rated_line_id,
            placed_lines.customer_id,
            placed_lines.currency,
            placed_lines.subscription_id,
            placed_lines.cutoff_at,
            placed_lines.invoice_id,
            placed_lines.line_kind in ('true_up', 'overage') as is_true_up,
            plans.product_id,
            charges.meter,
            granted.granted_from_date
        from placed_lines
        inner join granted
            on
                placed_lines.customer_id = granted.customer_id
                and placed_lines.currency = granted.currency
        left join plans
            on placed_lines.plan_id = plans.plan_id
        left join charges
            on
                placed_lines.plan_id = charges.plan_id
                and placed_lines.charge_id = charges.charge_id
                and placed_lines.line_kind in ('usage', 'minimum')

    )

    select
        step_lines.customer_id,
        step_lines.currency,
        steps.posted_date,
        cast(steps.moment_number as {{ type_count() }}) as moment_number,
        step_lines.own_rated_line_id as rated_line_id,
        steps.usage_date,
        cast(steps.target_total as {{ type_total() }}) as target_total,
        cast(steps.target_total - steps.target_before as {{ type_total() }}) as asked_total,
        coalesce(steps.invoice_id, step_lines.invoice_id) as invoice_id,
        step_lines.subscription_id,
        step_lines.product_id,
        step_lines.meter,
        step_lines.is_true_up,
        -- What was asked before the first grant is not asked again of it: it is kept with that day's.
        case
            when step_lines.cutoff_at > step_lines.granted_from_date
                then greatest(steps.posted_date, step_lines.granted_from_date)
        end as kept_date,
        steps.line_place
    from steps
    inner join step_lines
        on steps.line_place = step_lines.line_place
    {%- endif %}
{%- endmacro %}

{#
    A day of a vector (columns step_<x>, through_<x>, whole_<x> of `relation`) with the running sum
    capped at net_<x>; what the net has above the whole stands on own_date.
#}
{% macro capped_step(relation, state) -%}
    {%- set net = relation ~ ".net_" ~ state -%}
    {%- set through = relation ~ ".through_" ~ state -%}
    (
        least({{ through }}, {{ net }})
        - least({{ through }} - {{ relation }}.step_{{ state }}, {{ net }})
        + case
            when {{ relation }}.usage_date = {{ relation }}.own_date
                then greatest({{ net }} - {{ relation }}.whole_{{ state }}, 0)
            else 0
        end
    )
{%- endmacro %}

{% macro credited_step_columns() -%}
    {{ return([
        ("customer_id", type_text()),
        ("currency", type_text()),
        ("posted_date", "date"),
        ("moment_number", type_count()),
        ("rated_line_id", type_text()),
        ("usage_date", "date"),
        ("target_total", type_total()),
        ("asked_total", type_total()),
        ("invoice_id", type_text()),
        ("subscription_id", type_text()),
        ("product_id", type_text()),
        ("meter", type_text()),
        ("is_true_up", "boolean"),
        ("kept_date", "date"),
        ("line_place", type_count()),
    ]) }}
{%- endmacro %}

{#
    What is asked of credits, or given back, at each moment of the run (int_credits__steps): changes
    of a line's target per day of usage (what is said of the line is in int_credits__step_lines). A
    moment is a posting day and a number: 0 what the day's
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

    netted as (

        select * from {{ ref("int_credits__moments") }}

    ),

    ratings as (

        select * from {{ ref("int_credits__ratings") }}

    ),

    periods as (

        select * from {{ ref("int_credits__periods") }}

    ),

    daily_targets as (

        select * from {{ ref("int_credits__daily_targets") }}

    ),

    step_lines as (

        select * from {{ ref("int_credits__step_lines") }}

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
    -- nothing was kept, whenever it is built: then the net is compared by the new rating. (Of one that
    -- had no days, because nothing was used, there is nothing either: its net is on its own day.)
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
                max(case when recency = 2 then rated_date end)
            ) as earlier_date,
            coalesce(
                max(case when recency = 1 and not is_own then rated_number end),
                max(case when recency = 2 then rated_number end)
            ) as earlier_number
        from pairs
        where recency <= 2
        group by
            own_rated_line_id,
            posted_date,
            moment_number

    ),

    own_moments as (

        select
            step_lines.rated_line_id,
            step_lines.subscription_id,
            case
                when charges.timing = 'advance' then step_lines.period_from
                else step_lines.period_to - interval '1 microsecond'
            end as own_at
        from step_lines
        left join charges
            on
                step_lines.plan_id = charges.plan_id
                and step_lines.charge_id = charges.charge_id
                and step_lines.line_kind in ('recurring', 'one_time')
        where step_lines.told_by = 3

    ),

    -- By the zone of the period in which it is: a customer may have moved since the line's own.
    own_periods as (

        select
            own_moments.rated_line_id,
            own_moments.own_at,
            max(
                case
                    when
                        subscription_periods.period_from <= own_moments.own_at
                        or subscription_periods.period_number = 1
                        then subscription_periods.period_number
                end
            ) as period_number,
            own_moments.subscription_id
        from own_moments
        inner join {{ ref('int_subscriptions__periods') }} as subscription_periods
            on own_moments.subscription_id = subscription_periods.subscription_id
        group by
            own_moments.rated_line_id,
            own_moments.own_at,
            own_moments.subscription_id

    ),

    own_days as (

        select
            own_periods.rated_line_id as own_rated_line_id,
            case
                when own_periods.own_at = subscription_periods.period_from
                    then subscription_periods.period_from_date
                else greatest(
                    {{ local_date('own_periods.own_at', 'zone_segments.offset_seconds') }},
                    subscription_periods.period_from_date
                )
            end as own_date
        from own_periods
        inner join {{ ref('int_subscriptions__periods') }} as subscription_periods
            on
                own_periods.subscription_id = subscription_periods.subscription_id
                and own_periods.period_number = subscription_periods.period_number
        inner join {{ ref('int_subscriptions__zone_segments') }} as zone_segments
            on
                subscription_periods.time_zone = zone_segments.time_zone
                and own_periods.own_at >= zone_segments.utc_from
                and own_periods.own_at < zone_segments.utc_to

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
            coalesce(
                chosen_ratings.earlier_date,
                case
                    when netted.closed_date < netted.granted_from_date
                        then chosen_ratings.now_date
                end
            ) as before_date,
            coalesce(
                chosen_ratings.earlier_number,
                case
                    when netted.closed_date < netted.granted_from_date
                        then chosen_ratings.now_number
                end
            ) as before_number,
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

    -- A day of a line that is no longer rated, because the catalogue changed, asks for nothing. (Of
    -- the same id a rating may still tell other days.)
    rated_days as (

        select
            step_lines.line_rank,
            daily_targets.usage_date
        from daily_targets
        inner join step_lines
            on daily_targets.line_number = step_lines.line_number
        where
            {{ has_new_inputs() | lower }}
            and daily_targets.known_date = {{ first_posting_date() }}

    ),

    vanished as (

        select distinct
            step_lines.line_place,
            step_lines.line_rank,
            kept_steps.usage_date
        from {{ source("ledger", "credit_steps") }} as kept_steps
        inner join step_lines
            on
                kept_steps.rated_line_id = step_lines.rated_line_id
                and step_lines.told_by = 2
        inner join periods
            on
                {{ is_asked_in('kept_steps', 'periods') }}
                and step_lines.currency = periods.currency
        left join rated_days
            on
                step_lines.line_rank = rated_days.line_rank
                and kept_steps.usage_date = rated_days.usage_date
        where
            {{ has_new_inputs() | lower }}
            and rated_days.line_rank is null
            and kept_steps.posted_date < {{ first_posting_date() }}

    ),

    -- Usage that was known before the run, and is of the first grant's run, is kept with what that
    -- grant's day asks for (it is older than the grant, which pays nothing of it): what changes it
    -- later is compared with it.
    open_states as (

        select
            step_lines.line_place,
            step_lines.line_rank,
            daily_targets.known_date,
            daily_targets.usage_date,
            daily_targets.has_late_usage,
            daily_targets.target_total
        from daily_targets
        inner join step_lines
            on daily_targets.line_number = step_lines.line_number
        where
            daily_targets.known_date >= {{ first_posting_date() }}
            or not step_lines.is_kept

        union all

        select
            line_place,
            line_rank,
            {{ first_posting_date() }} as known_date,
            usage_date,
            true as has_late_usage,
            0 as target_total
        from vanished

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
                    rated_line_id,
                    line_rank
                from step_lines
            ) as line_ranks
            on kept_steps.rated_line_id = line_ranks.rated_line_id
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
            open_states.line_rank,
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
            line_rank,
            known_date as posted_date,
            0 as moment_number,
            usage_date,
            target_total,
            target_before,
            cast(null as {{ type_text() }}) as invoice_id
        from open_targets
        where target_total <> target_before

        union all

        select
            step_lines.line_place,
            step_lines.line_rank,
            closing_targets.posted_date,
            closing_targets.moment_number,
            closing_targets.usage_date,
            closing_targets.target_total,
            closing_targets.target_before,
            closing_targets.invoice_id
        from closing_targets
        inner join step_lines
            on
                closing_targets.own_rated_line_id = step_lines.rated_line_id
                and step_lines.told_by = 3
        where closing_targets.target_total <> closing_targets.target_before

    )

    select
        line_place,
        line_rank,
        posted_date,
        cast(moment_number as {{ type_count() }}) as moment_number,
        usage_date,
        cast(target_total as {{ type_total() }}) as target_total,
        cast(target_total - target_before as {{ type_total() }}) as asked_total,
        invoice_id
    from steps
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
        ("line_place", type_count()),
        ("line_rank", type_count()),
        ("posted_date", "date"),
        ("moment_number", type_count()),
        ("usage_date", "date"),
        ("target_total", type_total()),
        ("asked_total", type_total()),
        ("invoice_id", type_text()),
    ]) }}
{%- endmacro %}

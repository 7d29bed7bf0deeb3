-- What late usage changes of closed periods: for each line of a period that is rated again what it
-- comes to now, less what has been posted of it.
with

build_window as (

    select * from {{ ref('build_window') }}

),

reopened_periods as (

    select reopened_periods.*
    from {{ ref('int_rating__reopened_periods') }} as reopened_periods
    inner join build_window
        on reopened_periods.cutoff_at > build_window.sealed_until

),

rated_lines as (

    select * from {{ ref('rated_lines') }}

),

posted_lines as (

    select * from {{ source('ledger', 'lines') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

closed_periods as (

    select distinct
        subscription_id,
        own_period_number,
        closed_at
    from reopened_periods

),

rated_again as (

    select
        reopened_periods.own_period_number,
        reopened_periods.cutoff_at as stated_at,
        {{ own_rated_line_id('rated_lines', 'invoice_number_in_subscription') }}
            as own_rated_line_id,
        {{ line_shape('rated_lines') }}
    from rated_lines
    inner join reopened_periods
        on
            rated_lines.subscription_id = reopened_periods.subscription_id
            and rated_lines.invoice_number_in_subscription = reopened_periods.period_number

),

-- What the run closes itself, and what earlier ones posted, corrections included.
rated_first as (

    select
        closed_periods.own_period_number,
        cast('1900-01-01' as {{ type_timestamp() }}) as stated_at,
        rated_lines.rated_line_id as own_rated_line_id,
        {{ line_shape('rated_lines') }}
    from rated_lines
    inner join closed_periods
        on
            rated_lines.subscription_id = closed_periods.subscription_id
            and rated_lines.invoice_number_in_subscription = closed_periods.own_period_number
    inner join build_window
        on closed_periods.closed_at > build_window.sealed_until

),

corrected_lines as (

    select
        posted_lines.*,
        coalesce(posted_lines.adjusts_rated_line_id, posted_lines.rated_line_id)
            as own_rated_line_id,
        -- Its period may have had no line of its own, and then there is no document of it.
        cast(
            split_part(
                substr(
                    coalesce(posted_lines.adjusts_rated_line_id, posted_lines.rated_line_id),
                    length(posted_lines.subscription_id) + 2
                ),
                '/',
                1
            ) as {{ type_count() }}
        ) as own_period_number
    from posted_lines

),

posted as (

    select
        closed_periods.own_period_number,
        cast('1900-01-01' as {{ type_timestamp() }}) as stated_at,
        corrected_lines.own_rated_line_id,
        {{ summed_line_shape('corrected_lines') }}
    from corrected_lines
    inner join closed_periods
        on
            corrected_lines.subscription_id = closed_periods.subscription_id
            and corrected_lines.own_period_number = closed_periods.own_period_number
    inner join build_window
        on closed_periods.closed_at <= build_window.sealed_until
    group by
        closed_periods.own_period_number,
        corrected_lines.own_rated_line_id

),

stated as (

    select * from rated_again

    union all

    select * from rated_first

    union all

    select * from posted

),

-- Late usage moves no fee and no credit of one: only their share of a discount, where it is rated.
moving as (

    select distinct
        subscription_id,
        own_period_number,
        own_rated_line_id
    from stated
    where
        line_kind in ('usage', 'minimum', 'true_up', 'overage')
        or stated_at > cast('1900-01-01' as {{ type_timestamp() }})

),

states as (

    select
        subscription_id,
        own_period_number,
        cast('1900-01-01' as {{ type_timestamp() }}) as stated_at
    from closed_periods

    union all

    select
        subscription_id,
        own_period_number,
        cutoff_at as stated_at
    from reopened_periods

),

-- A line that is not there comes to nothing.
followed as (

    select
        moving.subscription_id,
        moving.own_period_number,
        moving.own_rated_line_id,
        states.stated_at,
        {{ stated_measures('stated') }},
        lag(coalesce(stated.line_total, 0)) over (
            partition by
                moving.subscription_id, moving.own_period_number, moving.own_rated_line_id
            order by states.stated_at
        ) as total_before
    from moving
    inner join states
        on
            moving.subscription_id = states.subscription_id
            and moving.own_period_number = states.own_period_number
    left join stated
        on
            moving.subscription_id = stated.subscription_id
            and moving.own_rated_line_id = stated.own_rated_line_id
            and states.stated_at = stated.stated_at

),

-- A state that changes no total posts nothing, and the next one is compared with what was posted.
changed as (

    select
        followed.*,
        {{ measures_before(
            'followed', 'followed.subscription_id, followed.own_rated_line_id', 'followed.stated_at'
        ) }}
    from followed
    where
        followed.total_before is null
        or followed.line_total <> followed.total_before

),

-- What a line is called is as it is rated now, else as it was.
described as (

    select
        stated.*,
        row_number() over (
            partition by stated.subscription_id, stated.own_rated_line_id
            order by stated.stated_at desc
        ) as recency
    from stated

),

next_invoices as (

    select
        subscription_id,
        cutoff_at,
        min(period_number) as period_number
    from periods
    group by
        subscription_id,
        cutoff_at

)

select
    changed.subscription_id,
    changed.own_period_number,
    changed.own_rated_line_id,
    changed.subscription_id
    || '/' || cast(
        {{ reopened_number('changed.own_period_number', 'changed.stated_at') }}
        as {{ type_text() }}
    )
    || substr(
        changed.own_rated_line_id,
        length(
            changed.subscription_id
            || '/' || cast(changed.own_period_number as {{ type_text() }})
        ) + 1
    ) as rated_line_id,
    next_invoices.period_number,
    described.customer_id,
    described.line_kind,
    described.charge_id,
    described.name,
    described.unit_description,
    described.part_number,
    described.period_from,
    described.period_to,
    described.dimension_values,
    described.pricing_model,
    described.proration,
    described.billed_days,
    described.full_days,
    described.share_numerator,
    described.share_denominator,
    {{ changed_measures('changed', 'described') }},
    described.currency,
    described.tax_code,
    described.rules_version,
    changed.stated_at as cutoff_at
from changed
inner join described
    on
        changed.subscription_id = described.subscription_id
        and changed.own_rated_line_id = described.own_rated_line_id
        and described.recency = 1
left join next_invoices
    on
        changed.subscription_id = next_invoices.subscription_id
        and changed.stated_at = next_invoices.cutoff_at
where changed.stated_at > cast('1900-01-01' as {{ type_timestamp() }})

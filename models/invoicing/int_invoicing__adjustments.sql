-- What is posted of lines beside their own: of each state of a line what it changes, less what has
-- been posted before. No state takes a line below what was credited on it.
with

credits as (

    select
        subscription_id,
        own_rated_line_id,
        cutoff_at,
        action_order,
        amount
    from {{ ref('int_invoicing__credits') }}
    where is_granted

    union all

    select
        subscription_id,
        adjusts_rated_line_id as own_rated_line_id,
        cutoff_at,
        0 as action_order,
        -line_total as amount
    from {{ source('ledger', 'lines') }}
    where line_kind = 'credited'

),

stated_lines as (

    select * from {{ ref('int_invoicing__stated_lines') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

credited as (

    select
        stated_lines.subscription_id,
        stated_lines.own_rated_line_id,
        stated_lines.stated_at,
        stated_lines.action_order,
        cast(sum(credits.amount) as {{ type_total() }}) as credited_total
    from stated_lines
    inner join credits
        on
            stated_lines.subscription_id = credits.subscription_id
            and stated_lines.own_rated_line_id = credits.own_rated_line_id
            and (
                stated_lines.stated_at > credits.cutoff_at
                or (
                    stated_lines.stated_at = credits.cutoff_at
                    and stated_lines.action_order > credits.action_order
                )
            )
    group by
        stated_lines.subscription_id,
        stated_lines.own_rated_line_id,
        stated_lines.stated_at,
        stated_lines.action_order

),

floored as (

    select
        stated_lines.*,
        greatest(coalesce(credited.credited_total, 0) - stated_lines.line_total, 0)
        * case when credited.credited_total > 0 then 1 else 0 end as kept_total
    from stated_lines
    left join credited
        on
            stated_lines.subscription_id = credited.subscription_id
            and stated_lines.own_rated_line_id = credited.own_rated_line_id
            and stated_lines.stated_at = credited.stated_at
            and stated_lines.action_order = credited.action_order

),

followed as (

    select
        floored.*,
        floored.line_total + floored.kept_total as kept_line_total,
        lag(floored.line_total + floored.kept_total) over (
            partition by
                floored.subscription_id, floored.own_period_number, floored.own_rated_line_id
            order by floored.stated_at, floored.action_order
        ) as total_before,
        lag(floored.unit_total) over (
            partition by
                floored.subscription_id, floored.own_period_number, floored.own_rated_line_id
            order by floored.stated_at, floored.action_order
        ) as units_before
    from floored

),

-- A correction that changes no total posts nothing, and the next one is compared with what was
-- posted. A void and a reissue post what there is.
changed as (

    select
        followed.subscription_id,
        followed.own_period_number,
        followed.own_rated_line_id,
        followed.stated_at,
        followed.action_order,
        {{ kept_measures('followed') }},
        followed.total_before
    from followed
    where
        followed.total_before is null
        or followed.kept_line_total <> followed.total_before
        or followed.unit_total <> followed.units_before
        or followed.state_kind <> 'correction'

),

compared as (

    select
        changed.*,
        {{ measures_before(
            'changed',
            'changed.subscription_id, changed.own_rated_line_id',
            'changed.stated_at, changed.action_order'
        ) }}
    from changed

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
    compared.subscription_id,
    compared.own_period_number,
    compared.own_rated_line_id,
    -- Nothing is rated for a void, and a fee of the opening invoice keeps its rating.
    case
        when followed.is_rated or followed.state_kind = 'correction'
            then
                compared.subscription_id
                || '/' || cast(
                    {{ reopened_number('compared.own_period_number', 'compared.stated_at') }}
                    as {{ type_text() }}
                )
                || substr(
                    compared.own_rated_line_id,
                    length(
                        compared.subscription_id
                        || '/' || cast(compared.own_period_number as {{ type_text() }})
                    ) + 1
                )
        when followed.state_kind = 'reissue' then compared.own_rated_line_id
    end as rated_line_id,
    case when followed.state_kind = 'correction' then next_invoices.period_number end
        as period_number,
    followed.state_kind,
    followed.action_id,
    compared.action_order,
    followed.customer_id,
    followed.line_kind,
    followed.charge_id,
    followed.name,
    followed.unit_description,
    followed.part_number,
    followed.period_from,
    followed.period_to,
    followed.dimension_values,
    followed.pricing_model,
    followed.proration,
    followed.billed_days,
    followed.full_days,
    followed.share_numerator,
    followed.share_denominator,
    {{ changed_measures('compared', 'followed') }},
    followed.currency,
    followed.unit,
    followed.unit_rate,
    followed.tax_code,
    followed.rules_version,
    compared.stated_at as cutoff_at
from compared
inner join followed
    on
        compared.subscription_id = followed.subscription_id
        and compared.own_period_number = followed.own_period_number
        and compared.own_rated_line_id = followed.own_rated_line_id
        and compared.stated_at = followed.stated_at
        and compared.action_order = followed.action_order
left join next_invoices
    on
        compared.subscription_id = next_invoices.subscription_id
        and compared.stated_at = next_invoices.cutoff_at
where
    compared.stated_at > {{ first_stated_at() }}
    and ({{ measures_differ('compared') }})

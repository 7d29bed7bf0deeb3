-- depends_on: {{ ref('build_window') }}
-- Grants that are known, a recurring one by its occurrences, each with the days on which it posts,
-- pays and ends, and its place in the order in which grants are drawn.
with

credit_grants as (

    select
        *,
        case every when 'week' then 'day' else 'month' end as cycle_unit,
        case every when 'week' then 7 when 'quarter' then 3 when 'year' then 12 else 1 end
            as cycle_length,
        cast(effective_at as date) as first_date,
        effective_at - cast(cast(effective_at as date) as {{ type_timestamp() }}) as time_of_day
    from {{ ref('stg_catalog__credit_grants') }}
    where recorded_at < {{ as_of_at() }}

),

voids as (

    select
        grant_id,
        min(
            greatest(cast(acts_at as date), cast(recorded_at as date))
        ) as void_date
    from {{ ref('stg_catalog__credit_actions') }}
    where
        action = 'void'
        and recorded_at < {{ as_of_at() }}
    group by grant_id

),

-- One occurrence more than has begun: what is left of the last may go on into it.
cycle_numbers as (

    select
        credit_grants.*,
        {{ whole_numbers(
            '0',
            cycles_until(
                'credit_grants.first_date',
                'credit_grants.cycle_unit',
                'credit_grants.cycle_length',
                'cast(' ~ as_of_at() ~ ' as date)'
            )
        ) }} as cycle_number
    from credit_grants
    where credit_grants.every is not null

),

occurrences as (

    select
        grant_id as catalog_grant_id,
        grant_id,
        1 as occurrence_number,
        effective_at,
        expires_at
    from credit_grants
    where every is null

    union all

    select
        cycle_numbers.grant_id as catalog_grant_id,
        cycle_numbers.grant_id || '#' || cast(
            cycle_numbers.cycle_number + 1 as {{ type_text() }}
        ) as grant_id,
        cycle_numbers.cycle_number + 1 as occurrence_number,
        cast(
            {{ add_cycles(
                'cycle_numbers.first_date',
                'cycle_numbers.cycle_unit',
                'cycle_numbers.cycle_length',
                'cycle_numbers.cycle_number'
            ) }} as {{ type_timestamp() }}
        ) + cycle_numbers.time_of_day as effective_at,
        cast(
            {{ add_cycles(
                'cycle_numbers.first_date',
                'cycle_numbers.cycle_unit',
                'cycle_numbers.cycle_length',
                'cycle_numbers.cycle_number + 1'
            ) }} as {{ type_timestamp() }}
        ) + cycle_numbers.time_of_day as expires_at
    from cycle_numbers

),

begun as (

    select
        occurrences.grant_id,
        occurrences.catalog_grant_id,
        occurrences.occurrence_number,
        credit_grants.name,
        credit_grants.customer_id,
        credit_grants.wallet,
        credit_grants.kind,
        credit_grants.currency,
        credit_grants.amount,
        credit_grants.cost_basis,
        credit_grants.priority,
        credit_grants.scope,
        credit_grants.scope_id,
        credit_grants.rollover_cap,
        credit_grants.covers_true_up,
        credit_grants.every is not null as is_recurring,
        occurrences.effective_at,
        occurrences.expires_at,
        cast(credit_grants.recorded_at as date) as recorded_date,
        cast(occurrences.effective_at as date) as usage_from_date,
        coalesce(
            cast(occurrences.expires_at - interval '1 microsecond' as date),
            cast('9999-12-31' as date)
        ) as usage_to_date,
        greatest(
            cast(occurrences.effective_at as date), cast(credit_grants.recorded_at as date)
        ) as posted_from_date,
        least(voids.void_date, all_voids.void_date) as voided_date
    from occurrences
    inner join credit_grants
        on occurrences.catalog_grant_id = credit_grants.grant_id
    left join voids
        on occurrences.grant_id = voids.grant_id
    left join voids as all_voids
        on
            occurrences.catalog_grant_id = all_voids.grant_id
            and occurrences.grant_id <> all_voids.grant_id
    where
        cast(occurrences.effective_at as date) <= coalesce(
            all_voids.void_date, cast('9999-12-31' as date)
        )
        and (
            credit_grants.every is null
            or (
                occurrences.effective_at < coalesce(
                    credit_grants.recurs_until, cast('9999-12-31' as {{ type_timestamp() }})
                )
                and cast(occurrences.effective_at as date) <= cast({{ as_of_at() }} as date)
            )
        )

)

select
    begun.grant_id,
    begun.catalog_grant_id,
    begun.occurrence_number,
    begun.name,
    begun.customer_id,
    begun.wallet,
    begun.kind,
    begun.currency,
    begun.amount,
    begun.cost_basis,
    begun.priority,
    begun.scope,
    begun.scope_id,
    begun.rollover_cap,
    begun.covers_true_up,
    begun.is_recurring,
    begun.effective_at,
    begun.expires_at,
    begun.recorded_date,
    begun.usage_from_date,
    begun.usage_to_date,
    begun.posted_from_date,
    -- One that was recorded after it had expired pays for nothing, and ends as it is posted.
    least(
        begun.usage_to_date,
        greatest(coalesce(begun.voided_date, begun.usage_to_date), begun.posted_from_date)
    ) as posted_to_date,
    greatest(begun.usage_to_date, begun.posted_from_date) as expiry_date,
    case
        when begun.voided_date is not null
            then greatest(begun.voided_date, begun.posted_from_date)
    end as void_date,
    row_number() over (
        partition by begun.customer_id, begun.currency
        order by
            begun.priority,
            case begun.scope
                when 'meter' then 1
                when 'product' then 2
                when 'subscription' then 3
                else 4
            end,
            case begun.kind when 'promotional' then 1 else 2 end,
            begun.expires_at asc nulls last,
            begun.effective_at,
            {{ binary_order('begun.grant_id') }}
    ) as draw_rank
from begun

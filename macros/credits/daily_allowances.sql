{#
    What a shared allowance has for its lines that draw on credits day by day, as known from each load
    day on (int_credits__allowances): of a pool, what the members whose periods have begun bring; of
    one that is carried over, its own quantity and what the steps before it left.

    A step before it that has closed left what its close says (int_rating__allowance_lots); one that
    is open, in its days of grace, what it leaves of the usage that is known by then. From its own
    close on a step has what rating says it had. A step is what one part of a period brings.
    Source: DESIGN, Credits ("daily draws are on amounts after allowance").
#}
{% macro daily_allowances() -%}
    {%- if not (has_grants() and has_allowances()) -%}
    {{ no_rows([
        ("allowance_key", type_count()),
        ("known_date", "date"),
        ("known_to", "date"),
        ("available_quantity", type_quantity()),
        ("is_change", "boolean"),
    ]) }}
    {%- else -%}
    {%- set ages = longest_rollover() -%}
    with{{ " recursive" if ages }}

    lines as (

        select * from {{ ref("int_credits__lines") }}
        where has_allowance_by_day

    ),

    periods as (

        select distinct
            customer_id,
            subscription_id,
            period_number,
            period_from,
            cycle_from_date,
            chain_number,
            cutoff_at
        from {{ ref("int_credits__periods") }}

    ),

    allowance_steps as (

        select * from {{ ref("int_rating__allowance_steps") }}

    ),

    pool_keys as (

        select
            lines.allowance_key,
            lines.allowance_id,
            periods.customer_id,
            periods.cycle_from_date,
            periods.chain_number
        from lines
        inner join periods
            on
                lines.subscription_id = periods.subscription_id
                and lines.period_number = periods.period_number
        where lines.is_pooled
        group by
            lines.allowance_key,
            lines.allowance_id,
            periods.customer_id,
            periods.cycle_from_date,
            periods.chain_number

    ),

    brought as (

        select
            pool_keys.allowance_key,
            cast(periods.period_from as date) as known_date,
            sum(allowance_steps.own_quantity) as own_quantity
        from pool_keys
        inner join allowance_steps
            on
                pool_keys.customer_id = allowance_steps.customer_id
                and pool_keys.allowance_id = allowance_steps.allowance_id
                and pool_keys.cycle_from_date = allowance_steps.cycle_from_date
                and pool_keys.chain_number = allowance_steps.chain_number
        inner join periods
            on
                allowance_steps.subscription_id = periods.subscription_id
                and allowance_steps.period_number = periods.period_number
        group by
            pool_keys.allowance_key,
            cast(periods.period_from as date)

    ),

    {% if ages -%}
    {{ walked_allowances(ages) }},

    {% endif -%}
    states as (

        select
            allowance_key,
            known_date,
            sum(own_quantity) over (
                partition by allowance_key
                order by known_date
            ) as available_quantity
        from brought
        {%- if ages %}

        union all

        select
            allowance_key,
            known_date,
            available_quantity
        from walked_states
        {%- endif %}

    ),

    compared as (

        select
            *,
            lag(available_quantity) over (
                partition by allowance_key
                order by known_date
            ) as quantity_before
        from states

    ),

    changed as (

        select
            *,
            quantity_before is not null as is_change
        from compared
        where quantity_before is null or quantity_before <> available_quantity

    )

    select
        allowance_key,
        known_date,
        coalesce(
            lead(known_date) over (
                partition by allowance_key
                order by known_date
            ), cast('9999-12-31' as date)
        ) as known_to,
        cast(available_quantity as {{ type_quantity() }}) as available_quantity,
        is_change
    from changed
    {%- endif %}
{%- endmacro %}

{#
    The CTE `walked_states`, and what it reads: what a step of an allowance that is carried over had,
    whenever that may have changed since its first usage. Each such moment is a walk of its own, over
    the open steps between the last one that had closed by then and the step, as known then.
#}
{% macro walked_allowances(ages) -%}
    -- Steps in their order; numbers are of no meaning outside this query.
    numbered_steps as (

        select
            allowance_steps.*,
            cast(allowance_steps.cutoff_at as date) - cast(1 as integer) as closing_date,
            row_number() over (
                partition by allowance_steps.subscription_id, allowance_steps.allowance_id
                order by allowance_steps.own_period_number, allowance_steps.part_from
            ) as place
        from allowance_steps
        where
            not allowance_steps.is_pooled
            and {{ is_first_rating("allowance_steps.period_number") }}

    ),

    lots as (

        select
            *,
            cutoff_at <= {{ open_from() }} as is_before,
            rank() over (
                partition by subscription_id, allowance_id, cutoff_at <= {{ open_from() }}
                order by period_number desc, part_from desc
            ) as recency
        from {{ ref("int_rating__allowance_lots") }}

    ),

    step_usage as (

        select
            lines.allowance_key,
            lines.line_number,
            numbered_steps.subscription_id,
            numbered_steps.allowance_id,
            numbered_steps.place,
            numbered_steps.closing_date,
            usage.known_date,
            sum(usage.quantity) as quantity,
            sum(usage.usage_amount) as usage_amount
        from lines
        inner join numbered_steps
            on
                lines.subscription_id = numbered_steps.subscription_id
                and lines.period_number = numbered_steps.period_number
                and lines.allowance_id = numbered_steps.allowance_id
                and lines.part_from = numbered_steps.part_from
        inner join {{ ref("int_credits__usage") }} as usage
            on lines.line_number = usage.line_number
        where not lines.is_pooled
        group by
            lines.allowance_key,
            lines.line_number,
            numbered_steps.subscription_id,
            numbered_steps.allowance_id,
            numbered_steps.place,
            numbered_steps.closing_date,
            usage.known_date

    ),

    used_steps as (

        select
            allowance_key,
            subscription_id,
            allowance_id,
            place,
            closing_date,
            min(known_date) as first_date
        from step_usage
        group by
            allowance_key,
            subscription_id,
            allowance_id,
            place,
            closing_date

    ),

    known_dates as (

        select
            allowance_key,
            first_date as known_date
        from used_steps

        union

        select
            allowance_key,
            closing_date as known_date
        from used_steps
        where closing_date > first_date

        union

        select
            used_steps.allowance_key,
            numbered_steps.closing_date as known_date
        from used_steps
        inner join numbered_steps
            on
                used_steps.subscription_id = numbered_steps.subscription_id
                and used_steps.allowance_id = numbered_steps.allowance_id
                and used_steps.place > numbered_steps.place
                and used_steps.first_date < numbered_steps.closing_date

        union

        select
            used_steps.allowance_key,
            step_usage.known_date
        from used_steps
        inner join step_usage
            on
                used_steps.subscription_id = step_usage.subscription_id
                and used_steps.allowance_id = step_usage.allowance_id
                and used_steps.place > step_usage.place
                and used_steps.first_date < step_usage.known_date

    ),

    -- Where its walk begins: at the last step that had closed by then, if the run knows one.
    walk_moments as (

        select
            known_dates.allowance_key,
            known_dates.known_date,
            used_steps.subscription_id,
            used_steps.allowance_id,
            used_steps.place,
            used_steps.closing_date,
            coalesce(max(numbered_steps.place), 0) as base_place,
            row_number() over (
                order by known_dates.allowance_key, known_dates.known_date
            ) as walk_number
        from known_dates
        inner join used_steps
            on known_dates.allowance_key = used_steps.allowance_key
        left join numbered_steps
            on
                used_steps.subscription_id = numbered_steps.subscription_id
                and used_steps.allowance_id = numbered_steps.allowance_id
                and used_steps.place > numbered_steps.place
                and known_dates.known_date >= numbered_steps.closing_date
        where known_dates.known_date < cast({{ as_of_at() }} as date)
        group by
            known_dates.allowance_key,
            known_dates.known_date,
            used_steps.subscription_id,
            used_steps.allowance_id,
            used_steps.place,
            used_steps.closing_date

    ),

    line_totals as (

        select
            walk_moments.walk_number,
            step_usage.place,
            step_usage.line_number,
            sum(step_usage.quantity) as quantity,
            sum(step_usage.usage_amount) as usage_amount
        from walk_moments
        inner join step_usage
            on
                walk_moments.subscription_id = step_usage.subscription_id
                and walk_moments.allowance_id = step_usage.allowance_id
                and walk_moments.base_place < step_usage.place
                and walk_moments.place > step_usage.place
                and walk_moments.known_date >= step_usage.known_date
        group by
            walk_moments.walk_number,
            step_usage.place,
            step_usage.line_number

    ),

    step_totals as (

        select
            walk_number,
            place,
            sum(
                {{ billable_quantity("quantity", is_in_range("quantity", "usage_amount")) }}
            ) as billable_quantity
        from line_totals
        group by
            walk_number,
            place

    ),

    -- As the fold over steps has them (allowance_step), a walk being a chain.
    steps as (

        select
            walk_moments.subscription_id,
            walk_moments.allowance_id,
            walk_moments.walk_number as chain_number,
            numbered_steps.place - walk_moments.base_place as step_number,
            numbered_steps.own_quantity,
            cast(coalesce(step_totals.billable_quantity, 0) as {{ type_integral() }})
                as billable_quantity,
            numbered_steps.rollover_periods,
            numbered_steps.rollover_cap
        from walk_moments
        inner join numbered_steps
            on
                walk_moments.subscription_id = numbered_steps.subscription_id
                and walk_moments.allowance_id = numbered_steps.allowance_id
                and walk_moments.base_place < numbered_steps.place
                and walk_moments.place >= numbered_steps.place
        left join step_totals
            on
                walk_moments.walk_number = step_totals.walk_number
                and numbered_steps.place = step_totals.place

    ),

    walk as (

        select
            walk_moments.subscription_id,
            walk_moments.allowance_id,
            walk_moments.walk_number as chain_number,
            cast(0 as bigint) as step_number,
            cast(0 as {{ type_integral() }}) as carried_in,
            cast(0 as {{ type_integral() }}) as available_quantity,
            cast(0 as {{ type_integral() }}) as used_quantity,
            {%- for age in range(1, ages + 1) %}
            cast(
                coalesce(sum(case when lots.age >= {{ age }} then lots.quantity end), 0)
                as {{ type_integral() }}
            ) as through_{{ age }}{{ "," if not loop.last }}
            {%- endfor %}
        from walk_moments
        left join numbered_steps as bases
            on
                walk_moments.subscription_id = bases.subscription_id
                and walk_moments.allowance_id = bases.allowance_id
                and walk_moments.base_place = bases.place
        left join lots
            on
                walk_moments.subscription_id = lots.subscription_id
                and walk_moments.allowance_id = lots.allowance_id
                and (
                    (bases.place is null and lots.is_before and lots.recency = 1)
                    or (
                        bases.period_number = lots.period_number
                        and bases.part_from = lots.part_from
                    )
                )
        group by
            walk_moments.subscription_id,
            walk_moments.allowance_id,
            walk_moments.walk_number

        union all

        {{ allowance_step(ages) | indent(4) }}

    ),

    walked_states as (

        select
            walk_moments.allowance_key,
            walk_moments.known_date,
            case
                when walk_moments.known_date >= walk_moments.closing_date
                    then draws.available_quantity
                else walk.available_quantity
            end as available_quantity
        from walk_moments
        inner join walk
            on
                walk_moments.walk_number = walk.chain_number
                and walk_moments.place - walk_moments.base_place = walk.step_number
        inner join numbered_steps
            on
                walk_moments.subscription_id = numbered_steps.subscription_id
                and walk_moments.allowance_id = numbered_steps.allowance_id
                and walk_moments.place = numbered_steps.place
        inner join {{ ref("int_rating__allowance_draws") }} as draws
            on
                numbered_steps.subscription_id = draws.subscription_id
                and numbered_steps.allowance_id = draws.allowance_id
                and numbered_steps.period_number = draws.period_number
                and numbered_steps.part_from = draws.part_from

    )
{%- endmacro %}

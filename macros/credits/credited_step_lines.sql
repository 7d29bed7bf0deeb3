{#
    What is said of a line wherever something tells its steps (int_credits__step_lines): its rating
    (told_by 1), nothing any more (2: one that the ledger asked for and that may no longer be rated,
    because the catalogue changed) or a document that closes or corrects it (3). Steps, a million
    where lines are thousands, go by its line_place.

    A line that is posted for the first time by a correction has the id of that rating.
#}
{% macro credited_step_lines() -%}
    {%- if not has_grants() -%}
    {{ no_rows([
        ("line_place", type_count()),
        ("line_rank", type_count()),
        ("told_by", "integer"),
        ("line_number", type_count()),
        ("is_kept", "boolean"),
        ("rated_line_id", type_text()),
        ("customer_id", type_text()),
        ("currency", type_text()),
        ("subscription_id", type_text()),
        ("plan_id", type_text()),
        ("charge_id", type_text()),
        ("line_kind", type_text()),
        ("period_from", type_timestamp()),
        ("period_to", type_timestamp()),
        ("invoice_id", type_text()),
        ("product_id", type_text()),
        ("meter", type_text()),
        ("is_true_up", "boolean"),
        ("kept_from_date", "date"),
    ]) }}
    {%- else -%}
    with

    granted as (

        {{ granted_accounts() }}

    ),

    netted as (

        select * from {{ ref("int_credits__moments") }}

    ),

    periods as (

        select * from {{ ref("int_credits__periods") }}

    ),

    lines as (

        select * from {{ ref("int_credits__lines") }}
        where
            is_first_rating
            and is_asked

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

    -- Asked for by two equalities: by one condition it would be a nested loop.
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

    asked_lines as (

        select distinct
            periods.customer_id,
            periods.currency,
            periods.subscription_id,
            periods.own_period_number,
            periods.cutoff_at,
            kept_steps.rated_line_id as own_rated_line_id
        from {{ source("ledger", "credit_steps") }} as kept_steps
        inner join periods
            on {{ is_asked_in('kept_steps', 'periods') }}
        where
            {{ has_new_inputs() | lower }}
            and kept_steps.posted_date < {{ first_posting_date() }}

    ),

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
        from asked_lines

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
            open_lines.dimension_values,
            cast(null as {{ type_timestamp() }}) as period_from,
            cast(null as {{ type_timestamp() }}) as period_to
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
            described.dimension_values,
            described.period_from,
            described.period_to
        from described
        inner join accounts_of_lines
            on described.own_rated_line_id = accounts_of_lines.own_rated_line_id
        where described.preference = 1

    ),

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

    )

    select
        placed_lines.line_place,
        placed_lines.line_rank,
        placed_lines.told_by,
        placed_lines.line_number,
        placed_lines.is_kept,
        placed_lines.own_rated_line_id as rated_line_id,
        placed_lines.customer_id,
        placed_lines.currency,
        placed_lines.subscription_id,
        placed_lines.plan_id,
        placed_lines.charge_id,
        placed_lines.line_kind,
        placed_lines.period_from,
        placed_lines.period_to,
        placed_lines.invoice_id,
        plans.product_id,
        charges.meter,
        placed_lines.line_kind in ('true_up', 'overage') as is_true_up,
        -- What was asked before the first grant is not asked again of it: it is kept with that day's.
        case
            when placed_lines.cutoff_at > granted.granted_from_date then granted.granted_from_date
        end as kept_from_date
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
    {%- endif %}
{%- endmacro %}

{# Whether a step that the ledger keeps is of a period, in its currency or unit. #}
{% macro is_asked_in(kept_steps, periods) -%}
    {{ kept_steps }}.subscription_id = {{ periods }}.subscription_id
    and {{ number_of_rated_line(
        kept_steps ~ '.subscription_id', kept_steps ~ '.rated_line_id'
    ) }} = {{ periods }}.period_number
    and coalesce({{ kept_steps }}.currency, {{ periods }}.billed_currency) = {{ periods }}.currency
{%- endmacro %}

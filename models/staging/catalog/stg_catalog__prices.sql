with

prices as (

    select * from {{ catalog_table('prices') }}

),

typed as (

    select
        plan_id,
        charge_id,
        currency,
        coalesce(dimension_values, '') as dimension_values,
        coalesce(cast(position as integer), 1) as position,
        {{ valid_from_date('valid_from') }} as valid_from_date,
        cast(up_to as {{ type_quantity() }}) as up_to,
        coalesce(cast(unit_price as {{ type_price() }}), 0) as unit_price,
        coalesce(cast(flat_fee as {{ type_quantity() }}), 0) as flat_fee,
        coalesce(cast(package_size as {{ type_quantity() }}), 1) as package_size,
        -- Two decimals fewer, then a hundredth of it: exact at twelve.
        cast(
            coalesce(cast(percent as decimal(18, 10)), 0) * cast('0.01' as decimal(3, 2))
            as {{ type_price() }}
        ) as percent_fraction,
        coalesce(cast(event_fee as {{ type_price() }}), 0) as event_fee,
        coalesce(cast(free_amount as {{ type_quantity() }}), 0) as free_amount,
        coalesce(cast(free_events as {{ type_count() }}), 0) as free_events,
        {{ recorded_at('recorded_at') }} as recorded_at
    from prices

)

select
    -- Control characters are refused in the catalogue, so that the separator is safe.
    md5(
        plan_id
        || chr(31) || charge_id
        || chr(31) || currency
        || chr(31) || dimension_values
        || chr(31) || cast(valid_from_date as {{ type_text() }})
        || chr(31) || cast(recorded_at as {{ type_text() }})
    ) as price_row_id,
    plan_id,
    charge_id,
    currency,
    dimension_values,
    position,
    valid_from_date,
    up_to,
    unit_price,
    flat_fee,
    package_size,
    percent_fraction,
    event_fee,
    free_amount,
    free_events,
    recorded_at
from typed

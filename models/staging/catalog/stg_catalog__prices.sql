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
        cast(coalesce(position, '1') as integer) as position,
        {{ valid_from_date('valid_from') }} as valid_from_date,
        cast(up_to as {{ type_quantity() }}) as up_to,
        cast(coalesce(unit_price, '0') as {{ type_price() }}) as unit_price,
        cast(coalesce(flat_fee, '0') as {{ type_quantity() }}) as flat_fee,
        cast(coalesce(package_size, '1') as {{ type_quantity() }}) as package_size,
        -- Two decimals fewer, then a hundredth of it: exact at twelve.
        cast(
            cast(coalesce(percent, '0') as decimal(18, 10))
            * cast('0.01' as decimal(3, 2))
            as {{ type_price() }}
        ) as percent_fraction,
        cast(coalesce(event_fee, '0') as {{ type_price() }}) as event_fee,
        cast(coalesce(free_amount, '0') as {{ type_quantity() }}) as free_amount,
        cast(coalesce(free_events, '0') as {{ type_count() }}) as free_events,
        customer_id,
        cast(coalesce(contract_month, '1') as integer) as contract_month,
        applies_to,
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
        || chr(31) || coalesce(customer_id, '')
        || chr(31) || cast(contract_month as {{ type_text() }})
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
    customer_id,
    contract_month,
    applies_to,
    recorded_at
from typed

with

credit_units as (

    select * from {{ catalog_table('credit_units') }}

)

select
    unit,
    cast(exponent as integer) as exponent,
    currency,
    cast(rate as {{ type_price() }}) as rate,
    {{ valid_from_date('valid_from') }} as valid_from_date,
    {{ recorded_at('recorded_at') }} as recorded_at
from credit_units

with

row_amounts as (

    select * from {{ ref('int_rating__row_amounts') }}

)

select
    subscription_id,
    period_number,
    charge_id,
    price_row_id,
    cutoff_at
from row_amounts
where outcome = 'out_of_range'

with

invoice_actions as (

    select * from {{ catalog_table('invoice_actions') }}

)

-- An action closes at the first midnight after it was recorded.
select
    action_id,
    action,
    invoice_id,
    line_id,
    cast(amount as {{ type_total() }}) as amount,
    acted_by,
    reason,
    {{ recorded_at('recorded_at') }} as recorded_at,
    cast(cast({{ recorded_at('recorded_at') }} as date) as {{ type_timestamp() }})
    + interval '1 day' as cutoff_at
from invoice_actions

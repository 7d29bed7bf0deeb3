{{ config(group="subscriptions") }}
-- What has closed keeps its period: a row of the catalogue that was recorded later moves no
-- boundary and no cutoff that has passed. It begins new cycles, or takes an end back, from what is
-- open on; one that would do so before is refused here, and nothing is closed with it.
with

documents as (

    select * from {{ source('ledger', 'documents') }}
    where
        period_number > 0
        and {{ has_new_inputs() | lower }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

)

select
    documents.subscription_id,
    documents.period_number,
    documents.period_from,
    documents.period_to,
    periods.period_from as period_from_now,
    periods.period_to as period_to_now
from documents
left join periods
    on
        documents.subscription_id = periods.subscription_id
        and documents.period_number = periods.period_number
where
    periods.subscription_id is null
    or documents.period_from <> periods.period_from
    or documents.period_to <> periods.period_to
    or documents.cutoff_at <> periods.cutoff_at

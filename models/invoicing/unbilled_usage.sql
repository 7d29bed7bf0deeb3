{{ config(materialized="view", schema="marts") }}
with

unbilled_events as (

    select * from {{ ref('int_rating__unbilled_events') }}

),

voided_events as (

    select * from {{ ref('stg_raw__voided_events') }}

)

select
    unbilled_events.load_day,
    unbilled_events.loaded_at,
    unbilled_events.load_id,
    unbilled_events.line_number,
    unbilled_events.customer_id,
    unbilled_events.event_name,
    unbilled_events.occurred_at,
    unbilled_events.subscription_id,
    unbilled_events.subscription_item_id,
    unbilled_events.reason
from unbilled_events
left join voided_events
    on
        unbilled_events.loaded_at = voided_events.loaded_at
        and unbilled_events.load_id = voided_events.load_id
        and unbilled_events.line_number = voided_events.line_number
where voided_events.load_id is null

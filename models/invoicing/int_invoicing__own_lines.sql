-- Lines of a period on its own document, of what is not in the ledger.
with

build_window as (

    select * from {{ ref('build_window') }}

),

rated_lines as (

    select * from {{ ref('rated_lines') }}

),

invoice_periods as (

    select * from {{ ref('int_invoicing__invoice_periods') }}

),

posted as (

    select
        subscription_id,
        period_number
    from {{ source('ledger', 'documents') }}

)

-- Every column that the contract of rated_lines names.
select
    invoice_periods.invoice_id,
    rated_lines.*, -- noqa: AM04
    {{ unit_description('rated_lines') }} as unit_description,
    row_number() over (
        partition by invoice_periods.invoice_id
        order by {{ line_order('rated_lines') }}
    ) as line_number
from rated_lines
inner join build_window
    on rated_lines.cutoff_at > build_window.sealed_until
inner join invoice_periods
    on
        rated_lines.subscription_id = invoice_periods.subscription_id
        and rated_lines.invoice_number_in_subscription
        = invoice_periods.invoice_number_in_subscription
left join posted
    on
        rated_lines.subscription_id = posted.subscription_id
        and rated_lines.invoice_number_in_subscription = posted.period_number
where posted.subscription_id is null

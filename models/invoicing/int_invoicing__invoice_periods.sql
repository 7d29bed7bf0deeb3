with

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

customers as (

    select * from {{ ref('stg_catalog__customers') }}

),

-- Invoice n bills at the end of period n; number 0, the opening one, at the start of
-- the first.
dated as (

    select
        subscription_id,
        customer_id,
        plan_id,
        currency,
        billing_entity,
        period_number as invoice_number_in_subscription,
        period_from,
        period_to,
        period_from_date,
        period_to_date,
        period_to_date as invoice_date,
        -- One that ends on the day on which its last period began has two of one date.
        period_from_date = period_to_date as is_second_of_date
    from periods

    union all

    select
        subscription_id,
        customer_id,
        plan_id,
        currency,
        billing_entity,
        0 as invoice_number_in_subscription,
        period_from,
        period_to,
        period_from_date,
        period_to_date,
        period_from_date as invoice_date,
        false as is_second_of_date
    from periods
    where period_number = 1

),

named as (

    select
        dated.*,
        customers.name as customer_name,
        row_number() over (
            partition by dated.subscription_id, dated.invoice_number_in_subscription
            order by customers.valid_from_date desc, customers.recorded_at desc
        ) as recency
    from dated
    left join customers
        on
            dated.customer_id = customers.customer_id
            and dated.period_from_date >= customers.valid_from_date

)

select
    subscription_id
    || '@' || cast(invoice_date as {{ type_text() }})
    || case
        when is_second_of_date
            then '.' || cast(invoice_number_in_subscription as {{ type_text() }})
        else ''
    end as invoice_id,
    subscription_id,
    invoice_number_in_subscription,
    customer_id,
    customer_name,
    plan_id,
    currency,
    billing_entity,
    period_from,
    period_to,
    period_from_date,
    period_to_date,
    invoice_date
from named
where recency = 1

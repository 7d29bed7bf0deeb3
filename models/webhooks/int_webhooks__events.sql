{{ config(post_hook=["{{ append_to_outbox() }}"]) }}
-- What the outbox may not have yet; its post-hook appends what it has not. See append_to_outbox.
-- depends_on: {{ ref('int_invoicing__seal') }}
-- depends_on: {{ ref('build_window') }}
with

outbox_seals as (

    select * from {{ source('webhooks', 'outbox_seals') }}

),

invoices as (

    select * from {{ ref('invoices') }}

),

invoice_lines as (

    select * from {{ ref('invoice_lines') }}

),

credit_alerts as (

    select * from {{ ref('credit_alerts') }}

),

credit_balances_daily as (

    select * from {{ ref('credit_balances_daily') }}

),

credit_ledger_entries as (

    select * from {{ ref('credit_ledger_entries') }}

),

usage_alerts as (

    select * from {{ ref('usage_alerts') }}

),

currencies as (

    select
        currency,
        exponent
    from {{ ref('currencies') }}

    union all

    -- Credits may be in a unit of their own.
    select distinct
        unit as currency,
        exponent
    from {{ ref('stg_catalog__credit_units') }}

),

-- What was sealed when the outbox was last filled is in it.
told as (

    select
        coalesce(max(sealed_until), cast('1900-01-01' as {{ type_timestamp() }})) as told_until,
        cast(
            coalesce(max(sealed_until), cast('1900-01-01' as {{ type_timestamp() }})) as date
        ) as told_until_date
    from outbox_seals

),

new_invoices as (

    select
        invoices.*,
        currencies.exponent
    from invoices
    left join currencies
        on invoices.currency = currencies.currency
    where invoices.cutoff_at > (select told.told_until from told)

),

-- A draft begins with its period. One of corrections alone has none: it began by the as-of day.
created as (

    select
        'invoice.created' as event_type,
        1 as type_order,
        new_invoices.invoice_id as event_key,
        new_invoices.customer_id,
        least(
            case
                when new_invoices.acted_at is not null then new_invoices.acted_at
                when new_invoices.period_number is null
                    then {{ as_of_at() }} - interval '1 day'
                else new_invoices.period_from
            end,
            new_invoices.cutoff_at
        ) as occurred_at,
        {{ json_object('new_invoices', [
            ('invoice_id', 'text'),
            ('customer_id', 'text'),
            ('subscription_id', 'text'),
            ('billing_entity', 'text'),
            ('currency', 'text'),
            ('period_from', 'instant'),
            ('period_to', 'instant'),
            ('cutoff_at', 'instant'),
        ]) }} as event_data
    from new_invoices

),

finalized as (

    select
        'invoice.finalized' as event_type,
        2 as type_order,
        new_invoices.invoice_id as event_key,
        new_invoices.customer_id,
        new_invoices.cutoff_at as occurred_at,
        {{ json_object('new_invoices', [
            ('invoice_id', 'text'),
            ('invoice_number', 'text'),
            ('document_kind', 'text'),
            ('customer_id', 'text'),
            ('subscription_id', 'text'),
            ('plan_id', 'text'),
            ('billing_entity', 'text'),
            ('currency', 'text'),
            ('period_from', 'instant'),
            ('period_to', 'instant'),
            ('invoice_date', 'date'),
            ('cutoff_at', 'instant'),
            ('line_count', 'number'),
            ('invoice_total', 'money'),
            ('credits_total', 'money'),
            ('balance_applied_total', 'money'),
            ('amount_due_total', 'money'),
            ('adjusts_invoice_id', 'text'),
            ('action_id', 'text'),
        ]) }} as event_data
    from new_invoices
    where new_invoices.status = 'final'

),

adjusting_lines as (

    select
        invoice_id as adjusted_by_invoice_id,
        adjusts_invoice_id as invoice_id,
        count(*) as line_count,
        cast(sum(line_total) as {{ type_total() }}) as adjusted_total
    from invoice_lines
    where
        adjusts_invoice_id is not null
        and cutoff_at > (select told.told_until from told)
    group by
        invoice_id,
        adjusts_invoice_id

),

adjustments as (

    select
        adjusting_lines.*,
        new_invoices.invoice_number as adjusted_by_invoice_number,
        new_invoices.document_kind,
        new_invoices.customer_id,
        new_invoices.subscription_id,
        new_invoices.currency,
        new_invoices.exponent,
        new_invoices.cutoff_at
    from adjusting_lines
    inner join new_invoices
        on adjusting_lines.adjusted_by_invoice_id = new_invoices.invoice_id
    where new_invoices.status = 'final'

),

adjusted as (

    select
        'invoice.adjusted' as event_type,
        3 as type_order,
        adjustments.adjusted_by_invoice_id || chr(31) || adjustments.invoice_id as event_key,
        adjustments.customer_id,
        adjustments.cutoff_at as occurred_at,
        {{ json_object('adjustments', [
            ('invoice_id', 'text'),
            ('adjusted_by_invoice_id', 'text'),
            ('adjusted_by_invoice_number', 'text'),
            ('document_kind', 'text'),
            ('customer_id', 'text'),
            ('subscription_id', 'text'),
            ('currency', 'text'),
            ('cutoff_at', 'instant'),
            ('line_count', 'number'),
            ('adjusted_total', 'money'),
        ]) }} as event_data
    from adjustments

),

crossed as (

    select
        'usage.threshold' as event_type,
        4 as type_order,
        usage_alerts.alert_id
        || chr(31) || usage_alerts.subscription_id
        || chr(31) || cast(usage_alerts.period_number as {{ type_text() }}) as event_key,
        usage_alerts.customer_id,
        cast(usage_alerts.crossed_on as {{ type_timestamp() }}) as occurred_at,
        {{ json_object('usage_alerts', [
            ('alert_id', 'text'),
            ('name', 'text'),
            ('kind', 'text'),
            ('customer_id', 'text'),
            ('subscription_id', 'text'),
            ('plan_id', 'text'),
            ('charge_id', 'text'),
            ('meter_profile', 'text'),
            ('currency', 'text'),
            ('period_from', 'instant'),
            ('period_to', 'instant'),
            ('crossed_on', 'date'),
            ('threshold', 'decimal'),
            ('value_then', 'decimal'),
        ]) }} as event_data
    from usage_alerts
    where usage_alerts.cutoff_at > (select told.told_until from told)

),

new_credit_alerts as (

    select
        credit_alerts.*,
        currencies.exponent
    from credit_alerts
    left join currencies
        on credit_alerts.currency = currencies.currency
    where credit_alerts.crossed_on >= (select told.told_until_date from told)

),

low as (

    select
        'credit.low' as event_type,
        5 as type_order,
        new_credit_alerts.alert_id
        || chr(31) || new_credit_alerts.currency
        || chr(31) || {{ iso_date('new_credit_alerts.crossed_on') }} as event_key,
        new_credit_alerts.customer_id,
        cast(new_credit_alerts.crossed_on as {{ type_timestamp() }}) as occurred_at,
        {{ json_object('new_credit_alerts', [
            ('alert_id', 'text'),
            ('name', 'text'),
            ('customer_id', 'text'),
            ('currency', 'text'),
            ('crossed_on', 'date'),
            ('threshold', 'decimal'),
            ('share_left', 'decimal'),
            ('balance_total', 'money'),
            ('granted_total', 'money'),
            ('is_provisional', 'number'),
        ]) }} as event_data
    from new_credit_alerts

),

-- A row of a day is there while something is left, and on the day on which it ends.
daily_balances as (

    select
        customer_id,
        currency,
        balance_date,
        cast(sum(balance_total) as {{ type_total() }}) as balance_total,
        max(case when is_provisional then 1 else 0 end) = 1 as is_provisional
    from credit_balances_daily
    where balance_date >= (select told.told_until_date from told) - 1
    group by
        customer_id,
        currency,
        balance_date

),

daily_grants as (

    select
        customer_id,
        currency,
        posted_date
    from credit_ledger_entries
    where
        entry_kind = 'grant'
        and posted_date >= (select told.told_until_date from told)
    group by
        customer_id,
        currency,
        posted_date

),

exhaustions as (

    select
        daily_balances.customer_id,
        daily_balances.currency,
        daily_balances.balance_date as exhausted_on,
        daily_balances.is_provisional,
        currencies.exponent
    from daily_balances
    left join daily_balances as days_before
        on
            daily_balances.customer_id = days_before.customer_id
            and daily_balances.currency = days_before.currency
            and daily_balances.balance_date = days_before.balance_date + 1
    left join daily_grants
        on
            daily_balances.customer_id = daily_grants.customer_id
            and daily_balances.currency = daily_grants.currency
            and daily_balances.balance_date = daily_grants.posted_date
    left join currencies
        on daily_balances.currency = currencies.currency
    where
        daily_balances.balance_total = 0
        and daily_balances.balance_date >= (select told.told_until_date from told)
        and (coalesce(days_before.balance_total, 0) > 0 or daily_grants.posted_date is not null)

),

exhausted as (

    select
        'credit.exhausted' as event_type,
        6 as type_order,
        exhaustions.customer_id
        || chr(31) || exhaustions.currency
        || chr(31) || {{ iso_date('exhaustions.exhausted_on') }} as event_key,
        exhaustions.customer_id,
        cast(exhaustions.exhausted_on as {{ type_timestamp() }}) as occurred_at,
        {{ json_object('exhaustions', [
            ('customer_id', 'text'),
            ('currency', 'text'),
            ('exhausted_on', 'date'),
            ('is_provisional', 'number'),
        ]) }} as event_data
    from exhaustions

),

events as (

    select * from created

    union all

    select * from finalized

    union all

    select * from adjusted

    union all

    select * from crossed

    union all

    select * from low

    union all

    select * from exhausted

)

select
    -- An id stands in a header, and before a full stop in what is signed.
    'evt_' || substr({{ text_digest("event_type || chr(31) || event_key") }}, 1, 32) as event_id,
    event_type,
    customer_id,
    occurred_at,
    type_order,
    '{"type":"' || event_type
    || '","timestamp":"' || {{ iso_instant('occurred_at', false) }}
    || '","data":' || event_data || '}' as payload
from events

-- What each action acts on, and why it cannot where it cannot. Whether there is enough to credit or
-- to refund is seen later (int_invoicing__credits, int_invoicing__refunds).
with

build_window as (

    select * from {{ ref('build_window') }}

),

invoice_actions as (

    select invoice_actions.*
    from {{ ref('stg_catalog__invoice_actions') }} as invoice_actions
    inner join build_window
        on invoice_actions.recorded_at < build_window.as_of_at

),

-- A line that its period's own document has; corrections and actions name it.
own_lines as (

    select
        invoice_id || '#' || cast(line_number as {{ type_text() }}) as line_id,
        invoice_id,
        subscription_id,
        invoice_number_in_subscription as period_number,
        rated_line_id,
        unit,
        cutoff_at
    from {{ ref('int_invoicing__own_lines') }}

    union all

    select
        line_id,
        invoice_id,
        subscription_id,
        period_number,
        rated_line_id,
        unit,
        cutoff_at
    from {{ source('ledger', 'lines') }}
    where adjusts_invoice_id is null

),

acted_lines as (

    select distinct line_id
    from invoice_actions
    where line_id is not null

),

acted_invoices as (

    select distinct invoice_id
    from invoice_actions
    where invoice_id is not null

),

named as (

    select
        'line ' || own_lines.line_id as target_name,
        own_lines.invoice_id,
        own_lines.line_id,
        own_lines.subscription_id,
        own_lines.period_number,
        own_lines.rated_line_id,
        own_lines.unit,
        own_lines.cutoff_at as closed_at
    from own_lines
    inner join acted_lines
        on own_lines.line_id = acted_lines.line_id

    union all

    select
        'invoice ' || own_lines.invoice_id as target_name,
        own_lines.invoice_id,
        cast(null as {{ type_text() }}) as line_id,
        min(own_lines.subscription_id) as subscription_id,
        min(own_lines.period_number) as period_number,
        cast(null as {{ type_text() }}) as rated_line_id,
        cast(null as {{ type_text() }}) as unit,
        min(own_lines.cutoff_at) as closed_at
    from own_lines
    inner join acted_invoices
        on own_lines.invoice_id = acted_invoices.invoice_id
    group by own_lines.invoice_id

),

resolved as (

    select
        invoice_actions.action_id,
        invoice_actions.action,
        invoice_actions.line_id as named_line_id,
        invoice_actions.invoice_id as named_invoice_id,
        invoice_actions.amount,
        invoice_actions.acted_by,
        invoice_actions.reason,
        invoice_actions.recorded_at,
        invoice_actions.cutoff_at,
        named.target_name,
        named.invoice_id,
        named.line_id,
        named.subscription_id,
        named.period_number as own_period_number,
        named.rated_line_id as own_rated_line_id,
        named.unit,
        named.closed_at,
        coalesce(named.closed_at < invoice_actions.cutoff_at, false) as is_closed,
        row_number() over (
            order by
                invoice_actions.cutoff_at,
                invoice_actions.recorded_at,
                {{ binary_order('invoice_actions.action_id') }}
        ) as action_order
    from invoice_actions
    left join named
        on
            case
                when invoice_actions.line_id is not null
                    then 'line ' || invoice_actions.line_id
                else 'invoice ' || invoice_actions.invoice_id
            end = named.target_name

),

-- A void and a reissue take turns, and so do a dispute and its end.
followed as (

    select
        resolved.*,
        case
            when resolved.is_closed and resolved.action in ('void', 'reissue', 'dispute', 'resolve')
                then lag(resolved.action) over (
                    partition by
                        resolved.target_name,
                        resolved.is_closed,
                        case
                            when resolved.action in ('void', 'reissue') then 1
                            when resolved.action in ('dispute', 'resolve') then 2
                            else 3
                        end
                    order by resolved.action_order
                )
        end as action_before
    from resolved

)

select
    action_id,
    action,
    named_invoice_id,
    named_line_id,
    amount,
    acted_by,
    reason,
    recorded_at,
    cutoff_at,
    action_order,
    invoice_id,
    line_id,
    subscription_id,
    own_period_number,
    own_rated_line_id,
    closed_at,
    {{ action_document_id('invoice_id', 'action', 'action_id') }} as document_id,
    case
        when target_name is null and named_line_id is not null then 'unknown_line'
        when target_name is null then 'unknown_invoice'
        when not is_closed then 'not_closed'
        when action = 'credit' and unit is not null then 'priced_in_units'
        when action = 'void' and action_before = 'void' then 'already_void'
        when action = 'reissue' and coalesce(action_before, 'reissue') = 'reissue'
            then 'not_void'
        when action = 'dispute' and action_before = 'dispute' then 'already_disputed'
        when action = 'resolve' and coalesce(action_before, 'resolve') = 'resolve'
            then 'not_disputed'
    end as refused_because
from followed

-- Whether there is enough left of a line for each credit on it: what it comes to when the credit
-- closes, less what was credited before. One that is refused takes nothing from the next.
with recursive

build_window as (

    select * from {{ ref('build_window') }}

),

asked as (

    select
        invoice_actions.*,
        row_number() over (
            partition by invoice_actions.line_id
            order by invoice_actions.action_order
        ) as credit_number
    from {{ ref('int_invoicing__invoice_actions') }} as invoice_actions
    inner join build_window
        on invoice_actions.cutoff_at > build_window.sealed_until
    where
        invoice_actions.action = 'credit'
        and invoice_actions.refused_because is null

),

stated_lines as (

    select * from {{ ref('int_invoicing__stated_lines') }}

),

posted_credits as (

    select
        adjusts_line_id as line_id,
        cast(-sum(line_total) as {{ type_total() }}) as credited_total
    from {{ source('ledger', 'lines') }}
    where line_kind = 'credited'
    group by adjusts_line_id

),

last_states as (

    select
        asked.action_id,
        stated_lines.line_total,
        row_number() over (
            partition by asked.action_id
            order by stated_lines.stated_at desc, stated_lines.action_order desc
        ) as recency
    from asked
    inner join stated_lines
        on
            asked.subscription_id = stated_lines.subscription_id
            and asked.own_rated_line_id = stated_lines.own_rated_line_id
            and (
                asked.cutoff_at > stated_lines.stated_at
                or (
                    asked.cutoff_at = stated_lines.stated_at
                    and asked.action_order > stated_lines.action_order
                )
            )

),

measured as (

    select
        asked.*,
        last_states.line_total as stated_total
    from asked
    inner join last_states
        on
            asked.action_id = last_states.action_id
            and last_states.recency = 1

),

credited as (

    select
        measured.line_id,
        cast(0 as {{ type_count() }}) as credit_number,
        cast(null as {{ type_text() }}) as action_id,
        false as is_granted,
        cast(
            coalesce(max(posted_credits.credited_total), 0) as {{ type_total() }}
        ) as credited_total
    from measured
    left join posted_credits
        on measured.line_id = posted_credits.line_id
    group by measured.line_id

    union all

    select
        measured.line_id,
        measured.credit_number,
        measured.action_id,
        credited.credited_total + measured.amount <= measured.stated_total as is_granted,
        cast(
            credited.credited_total + case
                when credited.credited_total + measured.amount <= measured.stated_total
                    then measured.amount
                else 0
            end as {{ type_total() }}
        ) as credited_total
    from credited
    inner join measured
        on
            credited.line_id = measured.line_id
            and credited.credit_number + 1 = measured.credit_number

)

select
    credited.action_id,
    credited.line_id,
    asked.subscription_id,
    asked.own_period_number,
    asked.own_rated_line_id,
    asked.cutoff_at,
    asked.action_order,
    asked.amount,
    credited.is_granted,
    credited.credited_total
from credited
inner join asked
    on credited.action_id = asked.action_id

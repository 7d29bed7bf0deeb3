{{
    config(
        materialized='incremental',
        incremental_strategy='replace_window',
        meta={'replaces': 'open_periods'},
    )
}}

with

build_window as (

    select * from {{ ref('build_window') }}

),

invoice_lines as (

    select * from {{ ref('invoice_lines') }}

)

select
    invoice_lines.invoice_id,
    invoice_lines.subscription_id,
    invoice_lines.period_number,
    count(*) as line_count,
    cast(sum(invoice_lines.line_total) as {{ type_total() }}) as invoice_total,
    max(invoice_lines.rules_version) as rules_version,
    max(invoice_lines.cutoff_at) as cutoff_at
from invoice_lines
inner join build_window
    on invoice_lines.cutoff_at > build_window.open_from
group by
    invoice_lines.invoice_id,
    invoice_lines.subscription_id,
    invoice_lines.period_number

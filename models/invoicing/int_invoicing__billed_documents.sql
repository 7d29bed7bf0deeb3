{{ config(materialized='view') }}
-- Documents that are not in the ledger, but for refunds, which are paid from what these leave.
with

build_window as (

    select * from {{ ref('build_window') }}

),

invoice_periods as (

    select * from {{ ref('int_invoicing__invoice_periods') }}

),

invoice_actions as (

    select * from {{ ref('int_invoicing__invoice_actions') }}

),

document_lines as (

    select * from {{ ref('int_invoicing__billed_lines') }}

),

credit_totals as (

    select * from {{ ref('int_credits__invoice_totals') }}

),

{{ documents_of_lines() }}

select * from documents

with

entries as (

    select * from {{ ref('int_credits__entries') }}

),

hashed as (

    select
        entries.posted_date,
        entries.entry_id,
        {{ text_digest(content_text(ledger_credit_entry_columns(), 'entries')) }} as entry_hash
    from entries

)

select
    posted_date,
    count(*) as entry_count,
    {{ text_digest(joined_text('entry_hash', '', binary_order('entry_id'))) }} as entries_hash
from hashed
group by posted_date

-- Credits pay of a closed line no more than it nets, corrections and credit notes included, and of
-- no line less than nothing.
with

entries as (

    select * from {{ ref('credit_ledger_entries') }}
    where entry_kind in ('draw', 'give_back')

),

drawn as (

    select
        rated_line_id,
        -sum(amount) as drawn_total,
        -sum(case when is_provisional then 0 else amount end) as posted_total
    from entries
    group by rated_line_id

),

nets as (

    select
        coalesce(adjusts_rated_line_id, rated_line_id) as rated_line_id,
        sum(case when unit is null then line_total else unit_total end) as net_total
    from {{ source('ledger', 'lines') }}
    group by coalesce(adjusts_rated_line_id, rated_line_id)

)

select drawn.rated_line_id as faulty
from drawn
inner join nets
    on drawn.rated_line_id = nets.rated_line_id
where
    drawn.drawn_total < 0
    or drawn.posted_total > greatest(nets.net_total, 0)

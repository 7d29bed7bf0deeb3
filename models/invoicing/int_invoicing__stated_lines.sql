{{ config(pre_hook="{{ hash_joins_only() }}") }}
-- What each line of a period comes to, state by state: as posted or rated first, as rated again for
-- a correction, nothing once it is void, as rated again for a reissue. Of periods that the run
-- corrects or acts on.
with

build_window as (

    select * from {{ ref('build_window') }}

),

reopened_periods as (

    select reopened_periods.*
    from {{ ref('int_rating__reopened_periods') }} as reopened_periods
    inner join build_window
        on reopened_periods.cutoff_at > build_window.sealed_until

),

invoice_actions as (

    select * from {{ ref('int_invoicing__invoice_actions') }}
    where refused_because is null

),

rated_lines as (

    select * from {{ ref('rated_lines') }}

),

posted_lines as (

    select * from {{ source('ledger', 'lines') }}
    where line_kind not in {{ marking_line_kinds() }}

),

posted_documents as (

    select * from {{ source('ledger', 'documents') }}

),

changing_periods as (

    select
        subscription_id,
        own_period_number,
        closed_at
    from reopened_periods
    where is_corrected

    union all

    select
        invoice_actions.subscription_id,
        invoice_actions.own_period_number,
        invoice_actions.closed_at
    from invoice_actions
    inner join build_window
        on invoice_actions.cutoff_at > build_window.sealed_until
    where invoice_actions.action in ('void', 'reissue', 'credit')

),

closed_periods as (

    select
        subscription_id,
        own_period_number,
        min(closed_at) as closed_at
    from changing_periods
    group by
        subscription_id,
        own_period_number

),

rated_again as (

    select
        reopened_periods.own_period_number,
        reopened_periods.cutoff_at as stated_at,
        'rated' as stated_as,
        {{ own_rated_line_id('rated_lines', 'invoice_number_in_subscription') }}
            as own_rated_line_id,
        {{ line_shape('rated_lines') }}
    from rated_lines
    inner join reopened_periods
        on
            rated_lines.subscription_id = reopened_periods.subscription_id
            and rated_lines.invoice_number_in_subscription = reopened_periods.period_number
    inner join closed_periods
        on
            reopened_periods.subscription_id = closed_periods.subscription_id
            and reopened_periods.own_period_number = closed_periods.own_period_number

),

-- What the run closes itself, and what earlier ones posted, corrections included.
rated_first as (

    select
        closed_periods.own_period_number,
        {{ first_stated_at() }} as stated_at,
        'first' as stated_as,
        rated_lines.rated_line_id as own_rated_line_id,
        {{ line_shape('rated_lines') }}
    from rated_lines
    inner join closed_periods
        on
            rated_lines.subscription_id = closed_periods.subscription_id
            and rated_lines.invoice_number_in_subscription = closed_periods.own_period_number
    inner join build_window
        on closed_periods.closed_at > build_window.sealed_until

),

-- A period may have had no line of its own, and then there is no document of it: the id of a rated
-- line says whose it is.
own_lines as (

    select
        posted_lines.*,
        coalesce(posted_lines.adjusts_rated_line_id, posted_lines.rated_line_id)
            as own_rated_line_id,
        {{ number_of_rated_line(
            'posted_lines.subscription_id',
            'coalesce(posted_lines.adjusts_rated_line_id, posted_lines.rated_line_id)'
        ) }} as own_period_number
    from posted_lines

),

corrected_lines as (

    select
        own_lines.*,
        coalesce(posted_documents.document_kind, '') in ('void', 'reissue') as is_turned
    from own_lines
    inner join closed_periods
        on
            own_lines.subscription_id = closed_periods.subscription_id
            and own_lines.own_period_number = closed_periods.own_period_number
    inner join build_window
        on closed_periods.closed_at <= build_window.sealed_until
    left join posted_documents
        on own_lines.invoice_id = posted_documents.invoice_id

),

posted as (

    select
        corrected_lines.own_period_number,
        {{ first_stated_at() }} as stated_at,
        'first' as stated_as,
        corrected_lines.own_rated_line_id,
        {{ summed_line_shape('corrected_lines') }}
    from corrected_lines
    group by
        corrected_lines.subscription_id,
        corrected_lines.own_period_number,
        corrected_lines.own_rated_line_id

),

-- The opening invoice is not rated again: a reissue bills its fees as they stood before the void.
opening_fees as (

    select * from rated_first
    where own_period_number = 0

    union all

    select
        corrected_lines.own_period_number,
        {{ first_stated_at() }} as stated_at,
        'first' as stated_as,
        corrected_lines.own_rated_line_id,
        {{ summed_line_shape('corrected_lines') }}
    from corrected_lines
    where
        corrected_lines.own_period_number = 0
        and not corrected_lines.is_turned
    group by
        corrected_lines.subscription_id,
        corrected_lines.own_period_number,
        corrected_lines.own_rated_line_id

),

stated as (

    select * from rated_again

    union all

    select * from rated_first

    union all

    select * from posted

),

turns as (

    select invoice_actions.*
    from invoice_actions
    inner join closed_periods
        on
            invoice_actions.subscription_id = closed_periods.subscription_id
            and invoice_actions.own_period_number = closed_periods.own_period_number
    where invoice_actions.action in ('void', 'reissue')

),

-- A voided invoice is not corrected until it is reissued.
corrections as (

    select
        reopened_periods.subscription_id,
        reopened_periods.own_period_number,
        reopened_periods.cutoff_at as stated_at
    from reopened_periods
    left join turns
        on
            reopened_periods.subscription_id = turns.subscription_id
            and reopened_periods.own_period_number = turns.own_period_number
            and reopened_periods.cutoff_at > turns.cutoff_at
    where reopened_periods.is_corrected
    group by
        reopened_periods.subscription_id,
        reopened_periods.own_period_number,
        reopened_periods.cutoff_at
    having sum(
        case turns.action when 'void' then 1 when 'reissue' then -1 else 0 end
    ) = 0

),

-- Of one midnight, corrections come first, then actions in the order in which they were recorded.
states as (

    select
        subscription_id,
        own_period_number,
        {{ first_stated_at() }} as stated_at,
        cast(0 as {{ type_count() }}) as action_order,
        'first' as state_kind,
        cast(null as {{ type_text() }}) as action_id
    from closed_periods

    union all

    select
        subscription_id,
        own_period_number,
        stated_at,
        0 as action_order,
        'correction' as state_kind,
        cast(null as {{ type_text() }}) as action_id
    from corrections

    union all

    select
        turns.subscription_id,
        turns.own_period_number,
        turns.cutoff_at as stated_at,
        turns.action_order,
        turns.action as state_kind,
        turns.action_id
    from turns
    inner join build_window
        on turns.cutoff_at > build_window.sealed_until

),

-- What a line is called is as it is rated last, else as it was.
described as (

    select
        stated.*,
        row_number() over (
            partition by
                stated.subscription_id, stated.own_period_number, stated.own_rated_line_id
            order by stated.stated_at desc
        ) as recency
    from stated

)

-- A line that is not there comes to nothing.
select
    states.subscription_id,
    states.own_period_number,
    described.own_rated_line_id,
    states.stated_at,
    states.action_order,
    states.state_kind,
    states.action_id,
    coalesce(stated.stated_as = 'rated', false) as is_rated,
    described.unit_description,
    {{ acted_line_shape('described', 'states', 'stated', 'opening_fees') }}
from states
inner join described
    on
        states.subscription_id = described.subscription_id
        and states.own_period_number = described.own_period_number
        and described.recency = 1
left join stated
    on
        described.subscription_id = stated.subscription_id
        and described.own_period_number = stated.own_period_number
        and described.own_rated_line_id = stated.own_rated_line_id
        and states.stated_at = stated.stated_at
        and states.state_kind <> 'void'
left join opening_fees
    on
        described.subscription_id = opening_fees.subscription_id
        and described.own_period_number = opening_fees.own_period_number
        and described.own_rated_line_id = opening_fees.own_rated_line_id
        and states.state_kind = 'reissue'

{{ config(materialized="view", schema="marts") }}
{%- set profiles = meter_profiles() %}
-- No step is read twice, and what people filter by is grouped by: so a filter on a line, or on a
-- delivery, is carried down to the tables on either engine.
with

corrections as (

    select
        line_id,
        invoice_id,
        adjusts_line_id,
        rated_line_id,
        -- What it was compared with: the one of the same line before it, else the line. A void
        -- states nothing (no rated line), and stands after what is posted at the same close.
        case
            when
                row_number() over (
                    partition by adjusts_rated_line_id
                    order by cutoff_at, case when rated_line_id is null then 1 else 0 end
                ) = 1
                then adjusts_rated_line_id
            else
                lag(rated_line_id) over (
                    partition by adjusts_rated_line_id
                    order by cutoff_at, case when rated_line_id is null then 1 else 0 end
                )
        end as rated_line_id_before
    from {{ ref('invoice_lines') }}
    where
        line_kind = 'usage'
        and adjusts_rated_line_id is not null

),

twos as (

    select {{ whole_numbers(1, 2) }} as place

),

-- 1: what a line was rated from; -1: what a correction was compared with; 0: what corrections of a
-- line were rated from, so that what came in late is found at the line too.
states as (

    select
        line_id,
        invoice_id,
        cast(null as {{ type_text() }}) as original_line_id,
        rated_line_id,
        1 as direction
    from {{ ref('invoice_lines') }}
    where
        line_kind = 'usage'
        and adjusts_rated_line_id is null

    union all

    select
        adjusts_line_id as line_id,
        adjusts_invoice_id as invoice_id,
        cast(null as {{ type_text() }}) as original_line_id,
        rated_line_id,
        0 as direction
    from {{ ref('invoice_lines') }}
    where
        line_kind = 'usage'
        and adjusts_line_id is not null

    union all

    select
        corrections.line_id,
        corrections.invoice_id,
        corrections.adjusts_line_id as original_line_id,
        case twos.place
            when 1 then corrections.rated_line_id
            else corrections.rated_line_id_before
        end as rated_line_id,
        case twos.place when 1 then 1 else -1 end as direction
    from corrections
    cross join twos

),

rated_lines as (

    select * from {{ ref('rated_lines') }}

),

line_routes as (

    select * from {{ ref('int_rating__line_routes') }}

),

-- Here and below rows are grouped though no two are alike: an engine that takes the steps in an
-- order of its own would look for the events of all lines first, and read the JSON of all events.
-- What is grouped is done before, and filters pass all the same.
line_states as (

    select
        states.line_id,
        states.invoice_id,
        states.original_line_id,
        states.direction,
        rated_lines.price_row_id,
        line_routes.subscription_id as billed_subscription_id,
        line_routes.period_number,
        line_routes.charge_id,
        line_routes.part_number,
        line_routes.customer_id,
        line_routes.meter_profile,
        line_routes.subscription_ref,
        line_routes.item_ref,
        line_routes.route_from,
        line_routes.route_to,
        line_routes.known_until
    from states
    inner join rated_lines
        on states.rated_line_id = rated_lines.rated_line_id
    inner join line_routes
        on
            rated_lines.subscription_id = line_routes.subscription_id
            and rated_lines.invoice_number_in_subscription = line_routes.period_number
            and rated_lines.charge_id = line_routes.charge_id
            and rated_lines.part_number = line_routes.part_number
    group by
        states.line_id,
        states.invoice_id,
        states.original_line_id,
        states.direction,
        rated_lines.price_row_id,
        line_routes.subscription_id,
        line_routes.period_number,
        line_routes.charge_id,
        line_routes.part_number,
        line_routes.customer_id,
        line_routes.meter_profile,
        line_routes.subscription_ref,
        line_routes.item_ref,
        line_routes.route_from,
        line_routes.route_to,
        line_routes.known_until

),

line_dimensions as (

    select * from {{ ref('int_rating__line_dimensions') }}

),

usage_events as (

    select * from {{ ref('stg_raw__usage_events') }}

),

voided_events as (

    select * from {{ ref('stg_raw__voided_events') }}

),

-- Whose events they are and when they were is asked first: JSON is read of these alone.
events_to_measure as (

    select
        {{ measured_columns('usage_events', 'usage_events.load_day') }},
        usage_events.event_key,
        voided_events.load_day as voided_day,
        line_states.line_id,
        line_states.invoice_id,
        line_states.original_line_id,
        line_states.direction,
        line_states.billed_subscription_id,
        line_states.period_number,
        line_states.charge_id,
        line_states.part_number,
        line_states.price_row_id,
        line_states.meter_profile
    from line_states
    inner join usage_events
        on
            line_states.customer_id = usage_events.customer_id
            and line_states.subscription_ref = usage_events.subscription_id
            and line_states.item_ref = usage_events.subscription_item_id
            and line_states.route_from <= usage_events.occurred_at
            and line_states.route_to > usage_events.occurred_at
            and line_states.known_until > usage_events.load_day
    left join voided_events
        on
            usage_events.loaded_at = voided_events.loaded_at
            and usage_events.load_id = voided_events.load_id
            and usage_events.line_number = voided_events.line_number
    where
        voided_events.load_day is null
        or voided_events.load_day >= line_states.known_until
    group by
        usage_events.load_day,
        usage_events.loaded_at,
        usage_events.load_id,
        usage_events.line_number,
        usage_events.customer_id,
        usage_events.event_name,
        usage_events.occurred_at,
        usage_events.subscription_id,
        usage_events.subscription_item_id,
        usage_events.properties,
        usage_events.event_key,
        voided_events.load_day,
        line_states.line_id,
        line_states.invoice_id,
        line_states.original_line_id,
        line_states.direction,
        line_states.billed_subscription_id,
        line_states.period_number,
        line_states.charge_id,
        line_states.part_number,
        line_states.price_row_id,
        line_states.meter_profile

),

{{ measured_events(profiles, fenced=false) }},

read_by_profile as (

    select
        valued.*,
        {{ by_number(profiles, "meter_profile") }} as read_profile,
        {{ by_number(profiles, "dimensions") }} as dimensions
    from valued
    where valued.outcome = 'metered'

),

invoices as (

    select * from {{ ref('invoices') }}

),

loads as (

    select * from {{ source('raw', 'loads') }}

),

touched as (

    select
        read_by_profile.line_id,
        read_by_profile.invoice_id,
        read_by_profile.original_line_id,
        read_by_profile.customer_id,
        read_by_profile.billed_subscription_id,
        read_by_profile.charge_id,
        read_by_profile.meter_profile,
        read_by_profile.load_day,
        read_by_profile.loaded_at,
        read_by_profile.load_id,
        read_by_profile.line_number,
        read_by_profile.event_name,
        read_by_profile.event_key,
        read_by_profile.occurred_at,
        read_by_profile.dimensions,
        read_by_profile.value_text,
        read_by_profile.number_value,
        read_by_profile.amount_value,
        read_by_profile.voided_day,
        sum(read_by_profile.direction) as direction
    from read_by_profile
    inner join line_dimensions
        on
            read_by_profile.billed_subscription_id = line_dimensions.subscription_id
            and read_by_profile.period_number = line_dimensions.period_number
            and read_by_profile.charge_id = line_dimensions.charge_id
            and read_by_profile.part_number = line_dimensions.part_number
            and read_by_profile.price_row_id = line_dimensions.price_row_id
            and read_by_profile.dimensions = line_dimensions.dimensions
    where read_by_profile.meter_profile = read_by_profile.read_profile
    group by
        read_by_profile.line_id,
        read_by_profile.invoice_id,
        read_by_profile.original_line_id,
        read_by_profile.customer_id,
        read_by_profile.billed_subscription_id,
        read_by_profile.charge_id,
        read_by_profile.meter_profile,
        read_by_profile.load_day,
        read_by_profile.loaded_at,
        read_by_profile.load_id,
        read_by_profile.line_number,
        read_by_profile.event_name,
        read_by_profile.event_key,
        read_by_profile.occurred_at,
        read_by_profile.dimensions,
        read_by_profile.value_text,
        read_by_profile.number_value,
        read_by_profile.amount_value,
        read_by_profile.voided_day

)

select
    touched.line_id,
    touched.invoice_id,
    invoices.invoice_number,
    touched.original_line_id,
    touched.customer_id,
    touched.billed_subscription_id as subscription_id,
    touched.charge_id,
    touched.meter_profile,
    touched.load_day,
    touched.loaded_at,
    touched.load_id,
    loads.file_name,
    touched.line_number,
    touched.event_name,
    touched.event_key,
    touched.occurred_at,
    touched.dimensions,
    cast(touched.value_text as {{ type_text() }}) as value_text,
    cast(touched.number_value as {{ type_quantity() }}) as quantity,
    cast(touched.amount_value as {{ type_quantity() }}) as amount,
    cast(touched.direction as integer) as direction,
    touched.voided_day is not null as is_void,
    touched.voided_day
from touched
left join invoices
    on touched.invoice_id = invoices.invoice_id
left join loads
    on touched.load_id = loads.load_id
-- What a correction leaves as it was is none of its events.
where
    touched.direction <> 0
    or touched.original_line_id is null

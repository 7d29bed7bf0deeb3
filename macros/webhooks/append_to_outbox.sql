{#
    Post-hooks of int_webhooks__events: what the outbox has not been told yet goes behind what it has,
    in the transaction of the model, and with it the seal that it then has everything of. A run that
    was killed before it appends everything when it is run again, one that was killed after it nothing.
#}
{% macro append_to_outbox() -%}
    {%- set schema = webhooks_schema() -%}
    insert into {{ schema }}.outbox
        (position, event_id, event_type, customer_id, occurred_at, payload)
    select
        (select coalesce(max(position), 0) from {{ schema }}.outbox)
        + row_number() over (
            order by
                events.occurred_at,
                {{ binary_order("events.customer_id") }},
                events.type_order,
                {{ binary_order("events.event_id") }}
        ),
        events.event_id,
        events.event_type,
        events.customer_id,
        events.occurred_at,
        events.payload
    from {{ this }} as events
    left join {{ schema }}.outbox as told
        on events.event_id = told.event_id
    where told.event_id is null;
    insert into {{ schema }}.outbox_seals (sealed_until)
    select sealed_until
    from (select {{ sealed_until_now() }} as sealed_until) as seals
    where
        sealed_until > (
            select coalesce(max(sealed_until), cast('1900-01-01' as {{ type_timestamp() }}))
            from {{ schema }}.outbox_seals
        );
{%- endmacro %}

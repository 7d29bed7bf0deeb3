{#
    What the house has to tell other systems, and what became of it. Made at the start of a run where
    it is not there yet; the outbox is appended to by int_webhooks__events, attempts by
    `tally webhooks`. No run alters or drops it, `--full-refresh` neither (it is no model). No bill
    reads it. The same columns are in orchestration/webhooks/outbox.py.

    outbox        one row per event, in the order in which events are sent to a customer's receivers
    outbox_seals  one row per seal of the ledger that the outbox has the events of
    attempts      one row per attempt to send an event to an endpoint, and per wish to send it again
#}
{% macro create_webhook_tables() -%}
    {%- set schema = webhooks_schema() -%}
    create schema if not exists {{ schema }};
    create table if not exists {{ schema }}.outbox (
        position {{ type_count() }} not null,
        event_id {{ type_text() }} not null,
        event_type {{ type_text() }} not null,
        customer_id {{ type_text() }} not null,
        occurred_at {{ type_timestamp() }} not null,
        payload {{ type_text() }} not null,
        primary key (position),
        unique (event_id)
    );
    create table if not exists {{ schema }}.outbox_seals (
        sealed_until {{ type_timestamp() }} not null,
        primary key (sealed_until)
    );
    create table if not exists {{ schema }}.attempts (
        attempt_number {{ type_count() }} not null,
        event_id {{ type_text() }} not null,
        endpoint {{ type_text() }} not null,
        attempted_at {{ type_timestamp() }} not null,
        outcome {{ type_text() }} not null,
        status_code integer,
        reason {{ type_text() }},
        primary key (attempt_number)
    );
    {{ guard_tables(schema, ["outbox", "outbox_seals", "attempts"], "the outbox") }}
{%- endmacro %}

{% macro webhooks_schema() -%} {{ return(var("schema_prefix", "") ~ "webhooks") }} {%- endmacro %}

{#
    Post-hooks of int_invoicing__seal: the run's closes into the ledger, in the transaction of the
    model, all or nothing. The seal goes last, and what it covers is not posted again: a run that was
    killed before it posts everything when it is run again, one that was killed after it nothing.
#}
{% macro post_to_ledger() -%}
    {%- set ledger = ledger_schema() -%}
    {%- set lines = column_names(ledger_line_columns()) -%}
    {%- set documents = column_names(ledger_document_columns()) ~ ", content_hash" -%}
    {%- set closes = "billing_entity, close_number, cutoff_at, document_count, "
        ~ "last_sequence_number, documents_hash, previous_hash, close_hash" -%}
    {%- set days = "load_day, landed_count, digest_1, digest_2, digest_3, digest_4" -%}
    {%- set rows = "table_name, row_hash, row_text, sealed_until" -%}
    insert into {{ ledger }}.lines ({{ lines }})
    select {{ lines }} from {{ ref("int_invoicing__document_lines") }}
    where cutoff_at > {{ sealed_until_now() }} and cutoff_at <= {{ close_at() }};
    insert into {{ ledger }}.documents ({{ documents }})
    select {{ documents }} from {{ ref("int_invoicing__closed_documents") }}
    where cutoff_at > {{ sealed_until_now() }};
    insert into {{ ledger }}.closes ({{ closes }})
    select {{ closes }} from {{ ref("int_invoicing__closes") }}
    where cutoff_at > {{ sealed_until_now() }};
    {%- set entries = column_names(ledger_credit_entry_columns()) %}
    insert into {{ ledger }}.credit_entries ({{ entries }})
    select {{ entries }} from {{ ref("int_credits__entries") }}
    where {{ is_sealed_by_run("posted_date") }};
    insert into {{ ledger }}.credit_days (posted_date, entry_count, entries_hash)
    select posted_date, entry_count, entries_hash from {{ ref("int_credits__days") }}
    where {{ is_sealed_by_run("posted_date") }};
    insert into {{ ledger }}.credit_balances (balance_date, grant_id, balance_total)
    select balance_date, grant_id, balance_total from {{ ref("int_credits__balances") }}
    where {{ is_sealed_by_run("balance_date") }};
    insert into {{ ledger }}.credit_steps
        (subscription_id, rated_line_id, usage_date, posted_date, asked_total, currency)
    select subscription_id, rated_line_id, usage_date, kept_date, sum(asked_total), currency
    from (
        select
            lines.subscription_id, lines.rated_line_id, steps.usage_date,
            greatest(steps.posted_date, lines.kept_from_date) as kept_date,
            steps.asked_total, lines.currency
        from {{ ref("int_credits__steps") }} as steps
        inner join {{ ref("int_credits__step_lines") }} as lines
            on steps.line_place = lines.line_place
        where lines.kept_from_date is not null
    ) as kept_steps
    where {{ is_sealed_by_run("kept_date") }}
    group by subscription_id, rated_line_id, usage_date, kept_date, currency
    having sum(asked_total) <> 0;
    insert into {{ ledger }}.credit_vectors
        (rated_line_id, posted_date, moment_number, usage_date, step_total)
    select own_rated_line_id, posted_date, moment_number, usage_date, step_total
    from {{ ref("int_credits__ratings") }}
    where is_new and is_kept and {{ is_sealed_by_run("posted_date") }};
    insert into {{ ledger }}.sealed_days ({{ days }})
    select {{ days }} from {{ ref("int_invoicing__sealed_days") }}
    where sealed_until > {{ sealed_until_now() }};
    insert into {{ ledger }}.catalog_rows ({{ rows }})
    select {{ rows }} from {{ ref("int_invoicing__sealed_catalog_rows") }}
    where sealed_until > {{ sealed_until_now() }};
    insert into {{ ledger }}.seals (sealed_until, rules_version)
    select sealed_until, rules_version from {{ this }}
    where sealed_until > {{ sealed_until_now() }};
{%- endmacro %}

{#
    Whether the run seals a posting day: it is over by the run's close, which something has closed by
    or did before, and is not sealed yet.
#}
{% macro is_sealed_by_run(posted_date) -%}
    {{ posted_date }} >= cast({{ sealed_until_now() }} as date)
    and {{ posted_date }} < cast({{ close_at() }} as date)
    and exists (select 1 from {{ this }})
{%- endmacro %}

{#
    Whether the run seals: once a document has closed, each run that passes a midnight does. Before
    that nothing was sent to anybody, and days and catalogue may still be put right.
#}
{% macro run_seals() -%}
    {%- if (build_window()["sealed_until"] | string)[:4] != "1900" -%} {{ return("true") }}
    {%- endif -%}
    {{ return(has_rows(ref("int_invoicing__closed_documents")) | lower) }}
{%- endmacro %}

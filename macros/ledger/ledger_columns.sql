{#
    The columns of the ledger's documents and lines, lists of (name, type). What an invoice says is
    all of them: the content hash of a document covers each. A column that is added later must be
    null for what was posted before, and then changes no hash.
#}
{% macro ledger_document_columns() -%}
    {{ return([
        ("invoice_id", type_text()),
        ("invoice_number", type_text()),
        ("sequence_number", type_count()),
        ("document_kind", type_text()),
        ("billing_entity", type_text()),
        ("customer_id", type_text()),
        ("customer_name", type_text()),
        ("subscription_id", type_text()),
        ("plan_id", type_text()),
        ("period_number", type_count()),
        ("currency", type_text()),
        ("period_from", type_timestamp()),
        ("period_to", type_timestamp()),
        ("period_from_date", "date"),
        ("period_to_date", "date"),
        ("invoice_date", "date"),
        ("cutoff_at", type_timestamp()),
        ("line_count", type_count()),
        ("invoice_total", type_total()),
        ("rules_version", "integer"),
        ("adjusts_invoice_id", type_text()),
        ("action_id", type_text()),
        ("acted_by", type_text()),
        ("acted_at", type_timestamp()),
        ("action_reason", type_text()),
        ("credits_total", type_total()),
    ]) }}
{%- endmacro %}

{% macro ledger_line_columns() -%}
    {{ return([
        ("line_id", type_text()),
        ("invoice_id", type_text()),
        ("line_number", "integer"),
        ("line_kind", type_text()),
        ("charge_id", type_text()),
        ("name", type_text()),
        ("unit_description", type_text()),
        ("subscription_id", type_text()),
        ("customer_id", type_text()),
        ("period_number", type_count()),
        ("part_number", "integer"),
        ("period_from", type_timestamp()),
        ("period_to", type_timestamp()),
        ("dimension_values", type_text()),
        ("pricing_model", type_text()),
        ("proration", type_text()),
        ("billed_days", type_count()),
        ("full_days", type_count()),
        ("share_numerator", type_count()),
        ("share_denominator", type_count()),
        ("event_count", type_count()),
        ("quantity", type_quantity()),
        ("covered_quantity", type_quantity()),
        ("rated_quantity", type_quantity()),
        ("amount", type_amount()),
        ("rounded_total", type_total()),
        ("over_maximum_total", type_total()),
        ("discount_total", type_total()),
        ("line_total", type_total()),
        ("currency", type_text()),
        ("tax_code", type_text()),
        ("rated_line_id", type_text()),
        ("rules_version", "integer"),
        ("cutoff_at", type_timestamp()),
        ("adjusts_invoice_id", type_text()),
        ("adjusts_line_id", type_text()),
        ("adjusts_rated_line_id", type_text()),
        ("unit", type_text()),
        ("unit_rate", type_price()),
        ("unit_total", type_total()),
    ]) }}
{%- endmacro %}

{# The columns of the ledger's credit entries. #}
{% macro ledger_credit_entry_columns() -%}
    {{ return([
        ("entry_id", type_text()),
        ("posted_date", "date"),
        ("moment_number", type_count()),
        ("entry_kind", type_text()),
        ("grant_id", type_text()),
        ("catalog_grant_id", type_text()),
        ("customer_id", type_text()),
        ("wallet", type_text()),
        ("currency", type_text()),
        ("amount", type_total()),
        ("rated_line_id", type_text()),
        ("usage_date", "date"),
        ("invoice_id", type_text()),
        ("action_id", type_text()),
    ]) }}
{%- endmacro %}

{# Their names, comma-separated; `relation` is put before each. #}
{% macro column_names(columns, relation=none) -%}
    {%- set names = [] -%}
    {%- for name, _ in columns -%}
        {%- do names.append((relation ~ "." if relation else "") ~ name) -%}
    {%- endfor -%}
    {{ return(names | join(", ")) }}
{%- endmacro %}

{#
    What a row says as one text, of which digests are made: `name=value` of each column that is not
    null, in their order, separated by the unit separator. Values as the marts show them: instants
    in ISO 8601 with microseconds and Z, decimals with the digits of their type.
#}
{% macro content_text(columns, relation) -%}
    {%- set texts = [] -%}
    {%- for name, type in columns -%}
        {%- do texts.append("'" ~ name ~ "=' || " ~ content_value(relation ~ "." ~ name, type)) -%}
    {%- endfor -%}
    concat_ws(chr(31), {{ texts | join(", ") }})
{%- endmacro %}

{% macro content_value(value, type) -%}
    {%- if type == type_timestamp() -%} {{ return(iso_instant(value, false)) }} {%- endif -%}
    {%- if type == "date" -%} {{ return(iso_date(value)) }} {%- endif -%}
    {%- if type.startswith("decimal") -%}
        {%- set value = "cast(" ~ value ~ " as " ~ type ~ ")" -%}
    {%- endif -%}
    {{ return("cast(" ~ value ~ " as " ~ type_text() ~ ")") }}
{%- endmacro %}

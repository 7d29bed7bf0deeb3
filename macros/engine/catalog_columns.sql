{#
    The columns of a table of the catalogue, as orchestration/catalog_files.py has them (a test
    compares the two): a table of a database may have others besides, and lack those that came
    later.
#}
{% macro catalog_columns(name) -%}
    {%- set columns = {
        "customers": "customer_id name currency time_zone billing_entity valid_from recorded_at",
        "products": "product_id name product_type allowed_cycles perks recorded_at",
        "plans": "plan_id product_id name cycle alignment grace_days trial_days "
            ~ "correction_days requires_prepaid recorded_at",
        "meters":
            "meter version event_name aggregation property dimensions multiplier rounding "
            ~ "rounding_digits percentile weighted_mode carry_over amount_property recorded_at",
        "meter_filters": "meter version property operator value recorded_at",
        "charges":
            "plan_id charge_id position name charge_type timing every_cycles meter "
            ~ "meter_version pricing_model allowance flat_fee_at_zero proration split price_at "
            ~ "tax_code recorded_at",
        "charge_limits": "plan_id charge_id currency minimum maximum valid_from recorded_at",
        "prices":
            "plan_id charge_id currency dimension_values position valid_from up_to unit_price "
            ~ "flat_fee package_size percent event_fee free_amount free_events customer_id "
            ~ "contract_month applies_to recorded_at",
        "subscriptions":
            "subscription_id customer_id plan_id currency starts_at ends_at anchor_date "
            ~ "prices_as_of trial_days recorded_at",
        "subscription_changes":
            "subscription_id changes_at change plan_id charge_id quantity anchor_date "
            ~ "prices_as_of withdrawn recorded_at",
        "plan_migrations": "from_plan_id to_plan_id migrates_at recorded_at",
        "allowances":
            "plan_id allowance_id charge_ids quantity proration rollover_periods rollover_cap "
            ~ "pooled recorded_at",
        "commitments":
            "commitment_id name plan_id subscription_id currency amount quantity unit_price "
            ~ "charge_ids window_cycles overage_factor tax_code recorded_at",
        "discounts":
            "discount_id name level position customer_id subscription_id plan_id product_id "
            ~ "charge_id percent amount total_amount currency periods valid_from valid_to "
            ~ "recorded_at",
        "entitlements":
            "product_id plan_id feature name kind meter meter_version limit_quantity "
            ~ "recorded_at",
        "alerts":
            "alert_id name customer_id subscription_id plan_id kind charge_id meter "
            ~ "meter_version threshold recorded_at",
        "invoice_actions":
            "action_id action invoice_id line_id amount acted_by reason recorded_at",
        "credit_grants":
            "grant_id name customer_id wallet kind currency amount cost_basis priority scope "
            ~ "scope_id effective_at expires_at every recurs_until rollover_cap covers_true_up "
            ~ "recorded_at",
        "credit_actions":
            "action_id action grant_id to_grant_id amount acts_at reason recorded_at",
        "credit_top_ups": "top_up_id customer_id currency threshold amount recorded_at",
        "credit_units": "unit exponent currency rate valid_from recorded_at",
    } -%}
    {{ return(columns[name].split()) }}
{%- endmacro %}

{#
    The tables that a catalogue may leave out, which is as if they had no rows.
#}
{% macro optional_catalog_tables() -%}
    {{ return([
        "charge_limits", "meter_filters", "subscription_changes", "plan_migrations", "allowances",
        "commitments", "discounts", "entitlements", "alerts", "invoice_actions", "credit_grants",
        "credit_actions", "credit_top_ups", "credit_units"
    ]) }}
{%- endmacro %}

{#
    Columns of a table of the catalogue that came later: a table without them is one in which
    they are blank.
#}
{% macro optional_catalog_columns(name) -%}
    {%- set columns = {
        "plans": "trial_days correction_days requires_prepaid",
        "charges": "proration split price_at",
        "prices": "customer_id contract_month applies_to",
        "subscriptions": "prices_as_of trial_days",
    } -%}
    {{ return(columns.get(name, "").split()) }}
{%- endmacro %}

{# What of a line adds up over its corrections, with the types. #}
{% macro line_measure_types() -%}
    {{ return([
        ("event_count", type_count()),
        ("quantity", type_quantity()),
        ("covered_quantity", type_quantity()),
        ("rated_quantity", type_quantity()),
        ("amount", type_amount()),
        ("rounded_total", type_total()),
        ("over_maximum_total", type_total()),
        ("discount_total", type_total()),
        ("line_total", type_total()),
        ("unit_total", type_total()),
    ]) }}
{%- endmacro %}

{% macro line_measures() -%}
    {{ return(line_measure_types() | map(attribute=0) | list) }}
{%- endmacro %}

{# What else a document says of a line, from the first state of it to the last alike. #}
{% macro line_descriptions() -%}
    {{ return([
        "customer_id", "line_kind", "charge_id", "name", "part_number", "period_from",
        "period_to", "dimension_values", "pricing_model", "proration", "billed_days", "full_days",
        "share_numerator", "share_denominator", "currency", "unit", "unit_rate", "tax_code",
        "rules_version",
    ]) }}
{%- endmacro %}

{# What the quantity of a rated line counts. #}
{% macro unit_description(lines) -%}
    case
        when {{ lines }}.pricing_model in ('percentage', 'tiered_percentage')
            then {{ lines }}.currency
        when {{ lines }}.line_kind in ('true_up', 'overage') then 'commitment'
        when {{ lines }}.pricing_model is null then 'fee'
        else 'units'
    end
{%- endmacro %}

{# The columns of a rated line that its corrections are made of. #}
{% macro line_shape(lines) -%}
    {{ lines }}.subscription_id,
    {{ unit_description(lines) }} as unit_description,
    {%- for name in line_descriptions() %}
    {{ lines }}.{{ name }},
    {%- endfor %}
    {%- for name in line_measures() %}
    {{ lines }}.{{ name }}{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# The same of posted lines, summed over a line and its corrections, which are described alike. #}
{% macro summed_line_shape(lines) -%}
    min({{ lines }}.subscription_id) as subscription_id,
    min({{ lines }}.unit_description) as unit_description,
    {%- for name in line_descriptions() %}
    max({{ lines }}.{{ name }}) as {{ name }},
    {%- endfor %}
    {%- for name, type in line_measure_types() %}
    cast(sum({{ lines }}.{{ name }}) as {{ type }}) as {{ name }}{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# The measures of the state before. #}
{% macro measures_before(lines, partition, order) -%}
    {%- for name in line_measures() %}
    lag({{ lines }}.{{ name }}) over (
        partition by {{ partition }}
        order by {{ order }}
    ) as {{ name }}_before{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# What they changed by (`described` says which it has); null where the line has none (a fee counts no units). #}
{% macro changed_measures(changed, described) -%}
    {%- for name, type in line_measure_types() %}
    cast(
        case
            when {{ described }}.has_{{ name }}
                then {{ changed }}.{{ name }} - {{ changed }}.{{ name }}_before
        end as {{ type }}
    ) as {{ name }}{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# The columns that lines and corrections have alike, by name. #}
{% macro described_and_measured() -%}
    {{ return((line_descriptions() + line_measures()) | join(", ")) }}
{%- endmacro %}

{# Fees and their credits, which late usage does not rate again. #}
{% macro fee_line_kinds() -%} ('recurring', 'one_time', 'credit') {%- endmacro %}

{# Before every close: the state that a line had first. #}
{% macro first_stated_at() -%} cast('1900-01-01' as {{ type_timestamp() }}) {%- endmacro %}

{# The measures of a state, its totals with what is kept of a line for what was credited on it. #}
{% macro kept_measures(lines) -%}
    {%- for name in line_measures() %}
    {{ lines }}.{{ name }}
    {%- if name in ("rounded_total", "line_total") %} + {{ lines }}.kept_total {%- endif %}
        as {{ name }}{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# Whether any measure is another than before. #}
{% macro measures_differ(lines) -%}
    {%- for name in line_measures() %}
    {{ lines }}.{{ name }} <> {{ lines }}.{{ name }}_before {{- " or" if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#
    A line in a state of its period: described as it is rated last, whether it has each measure, and
    its measures then: none once it is void, of a reissue as rated for it (fees of the opening
    invoice as they stood).
#}
{% macro acted_line_shape(described, states, stated, opening_fees) -%}
    {%- for name in line_descriptions() %}
    {{ described }}.{{ name }},
    {%- endfor %}
    {%- for name in line_measures() %}
    {{ described }}.{{ name }} is not null as has_{{ name }},
    {%- endfor %}
    {%- for name, type in line_measure_types() %}
    cast(coalesce(
        case {{ states }}.state_kind
            when 'void' then 0
            when 'reissue' then coalesce({{ stated }}.{{ name }}, {{ opening_fees }}.{{ name }})
            else {{ stated }}.{{ name }}
        end,
        0
    ) as {{ type }}) as {{ name }}{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

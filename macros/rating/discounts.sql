{#
    Discounts come in two rounds: those of level line act on each charge of an invoice before its
    maximum, those of level product and invoice on all of its lines after the minimum. In a round
    each acts on what those before it left, in the order of level, position and id.

    Their models compile to nothing where the catalogue has no discounts.
#}

{# The order in which discounts act, of rows with their level, position and id. #}
{% macro discount_order(discounts) -%}
    case {{ discounts }}.level when 'line' then 1 when 'product' then 2 else 3 end,
    {{ discounts }}.position,
    {{ binary_order(discounts ~ ".discount_id") }}
{%- endmacro %}

{# Whether there are any, as SQL says it. #}
{% macro has_discounts() -%}
    {{ return("true" if has_rows(ref("stg_catalog__discounts")) else "false") }}
{%- endmacro %}

{#
    The discounts of these levels that apply to each of `lines`, and in which pass: a select over the
    CTEs build_window, periods, rated_periods, opening_invoices, discounted_plans and `lines` (what is
    left of each in left_total).
    The discounts that meet on an invoice are numbered without gaps, so that there are no more passes
    than discounts that meet; one that is used up over invoices has the same number on all of them.
    `scope` is what a discount acts on as one: an expression over `lines`, '' for the whole invoice.

    "The first n periods" from valid_from on: n periods before the line's own was too early.
#}
{% macro discount_stack(lines, levels, scope) -%}
matched as (

    select
        {{ lines }}.rated_line_id,
        {{ lines }}.subscription_id,
        {{ lines }}.invoice_number_in_subscription,
        {{ scope }} as scope,
        {{ lines }}.line_kind,
        {{ lines }}.charge_id,
        {{ lines }}.charge_position,
        {{ lines }}.period_from,
        {{ lines }}.part_number,
        {{ lines }}.price_position,
        {{ lines }}.dimension_values,
        {{ lines }}.exponent,
        {{ lines }}.left_total,
        {{ lines }}.cutoff_at,
        coalesce(
            rated_periods.chain_number,
            {{ state_number(lines ~ '.invoice_number_in_subscription') }}
        ) as chain_number,
        discounted_plans.discount_id,
        discounted_plans.level,
        discounted_plans.position,
        discounted_plans.percent_fraction,
        discounted_plans.amount,
        discounted_plans.total_amount,
        max(case when discounted_plans.total_amount is null then 0 else 1 end) over (
            partition by
                {{ lines }}.subscription_id,
                {{ scope }},
                coalesce(
                    rated_periods.chain_number,
                    {{ state_number(lines ~ '.invoice_number_in_subscription') }}
                )
        ) as spans_invoices
    from {{ lines }}
    cross join build_window
    inner join discounted_plans
        on
            {{ lines }}.subscription_id = discounted_plans.subscription_id
            and {{ lines }}.plan_id = discounted_plans.plan_id
            and {{ lines }}.from_date >= discounted_plans.valid_from_date
    left join periods as periods_before
        on
            {{ lines }}.subscription_id = periods_before.subscription_id
            and {{ own_number(lines ~ '.period_number') }} - discounted_plans.periods
            = periods_before.period_number
    left join rated_periods
        on
            {{ lines }}.subscription_id = rated_periods.subscription_id
            and {{ lines }}.invoice_number_in_subscription = rated_periods.period_number
    left join opening_invoices
        on
            {{ lines }}.subscription_id = opening_invoices.subscription_id
            and {{ lines }}.invoice_number_in_subscription
            = opening_invoices.invoice_number_in_subscription
    where
        {{ lines }}.left_total > 0
        and discounted_plans.level in ('{{ levels | join("', '") }}')
        and coalesce(discounted_plans.charge_id, {{ lines }}.charge_id) = {{ lines }}.charge_id
        and (
            discounted_plans.valid_to_date is null
            or {{ lines }}.from_date < discounted_plans.valid_to_date
        )
        and discounted_plans.recorded_at
        < least(
            case
                when {{ is_first_rating(lines ~ '.invoice_number_in_subscription') }}
                    then {{ lines }}.cutoff_at
                else
                    coalesce(
                        rated_periods.closed_at,
                        opening_invoices.closed_at,
                        {{ lines }}.cutoff_at
                    )
            end,
            build_window.as_of_at
        )
        and coalesce(discounted_plans.currency, {{ lines }}.currency) = {{ lines }}.currency
        and (
            periods_before.period_from_date is null
            or periods_before.period_from_date < discounted_plans.valid_from_date
        )

)

select
    matched.rated_line_id,
    matched.subscription_id,
    matched.invoice_number_in_subscription,
    matched.scope,
    matched.chain_number,
    dense_rank() over (
        partition by matched.subscription_id, matched.invoice_number_in_subscription
        order by {{ line_order('matched') }}
    ) as line_number,
    matched.exponent,
    {{ minor_units('matched.left_total', 'matched.exponent') }} as left_units,
    matched.discount_id,
    dense_rank() over (
        partition by
            matched.subscription_id,
            matched.scope,
            matched.chain_number,
            case
                when matched.spans_invoices = 0 then matched.invoice_number_in_subscription
            end
        order by
            {{ discount_order('matched') }}
    ) as pass_number,
    cast(matched.percent_fraction * 1000000000000 as {{ type_minor_units() }}) as percent_units,
    {{ minor_units('matched.amount', 'matched.exponent') }} as amount_units,
    {{ minor_units('matched.total_amount', 'matched.exponent') }} as total_units,
    matched.cutoff_at
from matched
where {{ has_discounts() }}
{%- endmacro %}

{# How many passes a stack of discounts takes. #}
{% macro discount_pass_count(stack) -%}
    {%- if not execute or flags.WHICH in ["parse", "list", "ls"] -%} {{ return(0) }} {%- endif -%}
    {{ return(run_query(
        "select coalesce(max(pass_number), 0) from " ~ stack
    ).rows[0][0]) }}
{%- endmacro %}

{# Whether one of them is used up over several invoices. #}
{% macro discounts_span_invoices(stack) -%}
    {{ return(has_rows(stack, "total_units is not null")) }}
{%- endmacro %}

{#
    What discounts took off closed invoices, one row per subscription, discount and scope, as earlier
    runs left it in the mart.
#}
{% macro closed_discounts(scope) -%}
    {%- set relation = earlier_relation("marts", "line_discounts") -%}
    {%- if relation is none or everything_is_open() -%}
        select
            cast(null as {{ type_text() }}) as subscription_id,
            cast(null as {{ type_text() }}) as discount_id,
            cast(null as {{ type_text() }}) as scope,
            cast(null as {{ type_total() }}) as discount_total
        where false
    {%- else -%}
        select
            subscription_id,
            discount_id,
            {{ scope }} as scope,
            sum(discount_total) as discount_total
        from {{ relation }}
        where
            cutoff_at <= {{ open_from() }}
            and {{ is_first_rating('invoice_number_in_subscription') }}
        group by
            subscription_id,
            discount_id,
            {{ scope }}
    {%- endif -%}
{%- endmacro %}

{#
    What each discount of a stack takes off each line: CTEs and a select over the CTE discount_stacks,
    which reads the relation `stack`. A line that no discount touches is not there, so that a pass
    looks only at lines with one. `scope` is that of the stack, as the mart line_discounts has it.

    A pass: base is what is left of the discount's lines on the invoice. A percentage of it is rounded
    half away, an amount is at most the base, a total at most what earlier invoices left of it. Each
    line takes floor(due x left / base) minor units; the rest goes, one unit each, to the largest
    remainders, ties in the order of the lines.

    Worked example: 10.00 over lines of 33.34, 33.33 and 33.33 is 3.33 each, and the cent that is left
    goes to the first (333.4 hundredths leave the largest remainder): 3.34, 3.33, 3.33.
#}
{% macro spread_discounts(stack, scope) -%}
{%- set pass_count = discount_pass_count(stack) -%}
{%- set spans_invoices = discounts_span_invoices(stack) -%}
{%- set kinds = ["percent_units", "amount_units"] + (["total_units"] if spans_invoices else []) -%}
{%- if spans_invoices -%}
closed_discounts as (

    {{ closed_discounts(scope) }}

),

{% endif -%}

stacked as (

    select
        discount_stacks.rated_line_id,
        discount_stacks.subscription_id,
        discount_stacks.invoice_number_in_subscription,
        discount_stacks.scope,
        discount_stacks.chain_number,
        discount_stacks.line_number,
        discount_stacks.exponent,
        discount_stacks.cutoff_at,
        discount_stacks.left_units,
        discount_stacks.pass_number,
        discount_stacks.discount_id,
        discount_stacks.percent_units,
        discount_stacks.amount_units
        {%- if spans_invoices %},
        discount_stacks.total_units
        - coalesce(
            {{ minor_units('closed_discounts.discount_total', 'discount_stacks.exponent') }}, 0
        ) as total_units
    from discount_stacks
    left join closed_discounts
        on
            discount_stacks.subscription_id = closed_discounts.subscription_id
            and discount_stacks.discount_id = closed_discounts.discount_id
            and discount_stacks.scope = closed_discounts.scope
            and discount_stacks.chain_number = 0
        {%- else %}
    from discount_stacks
        {%- endif %}

),

pass_0 as (

    select
        rated_line_id,
        subscription_id,
        invoice_number_in_subscription,
        scope,
        chain_number,
        line_number,
        exponent,
        cutoff_at,
        {%- for pass in range(1, pass_count + 1) %}
        max(case when pass_number = {{ pass }} then discount_id end) as discount_{{ pass }},
        {%- for kind in kinds %}
        max(case when pass_number = {{ pass }} then {{ kind }} end) as {{ kind }}_{{ pass }},
        {%- endfor %}
        {%- endfor %}
        max(left_units) as left_0
    from stacked
    group by
        rated_line_id,
        subscription_id,
        invoice_number_in_subscription,
        scope,
        chain_number,
        line_number,
        exponent,
        cutoff_at

),
{{ discount_passes(
    pass_count,
    "subscription_id, scope, chain_number, invoice_number_in_subscription",
    "line_number",
    "subscription_id, scope, chain_number" if spans_invoices
) }}

passes as (

    select {{ whole_numbers(1, pass_count) }} as pass_number

),

takings as (

    select
        pass_{{ pass_count }}.rated_line_id,
        pass_{{ pass_count }}.subscription_id,
        pass_{{ pass_count }}.exponent,
        pass_{{ pass_count }}.cutoff_at,
        passes.pass_number,
        case passes.pass_number
            {%- for pass in range(1, pass_count + 1) %}
            when {{ pass }} then discount_{{ pass }}
            {%- endfor %}
            when 0 then cast(null as {{ type_text() }})
        end as discount_id,
        case passes.pass_number
            {%- for pass in range(1, pass_count + 1) %}
            when {{ pass }} then left_{{ pass - 1 }} - left_{{ pass }}
            {%- endfor %}
            when 0 then left_0
        end as taken_units
    from pass_{{ pass_count }}
    cross join passes

)

select
    rated_line_id,
    subscription_id,
    discount_id,
    pass_number,
    {{ total_of_minor_units('taken_units', 'exponent') }} as discount_total,
    cutoff_at
from takings
where taken_units > 0
{%- endmacro %}

{#
    The passes of discounts over lines: CTEs pass_1, pass_2, ... up to the count, each with what is
    left of a line after it (left_<n>, in minor units). They read a CTE pass_0 with left_0 and, for
    each pass, discount_<n> (null where it is not the line's), percent_units_<n> and amount_units_<n>.
    `invoice` are the columns that say which lines belong together, and `line_number` the one that
    orders them. Where discounts are used up over several invoices, `spans` are the columns that say
    over whose, and pass_0 has total_units_<n> too.
#}
{% macro discount_passes(pass_count, invoice, line_number, spans=none) -%}
{%- for pass in range(1, pass_count + 1) %}
{%- set due = "due_" ~ pass -%}
{%- set base = "base_" ~ pass -%}
{%- set running = "running_" ~ pass -%}
{%- set remaining = "left_" ~ (pass - 1) -%}
{%- set together = invoice ~ ", discount_" ~ pass -%}

{#- What is left of the lines that the discount acts on, here and up to here. #}

bases_{{ pass }} as (

    select
        pass_{{ pass - 1 }}.*,
        {%- if spans %}
        sum({{ remaining }}) over (
            partition by {{ spans }}, discount_{{ pass }}
            order by {{ own_number('invoice_number_in_subscription') }}
        ) as {{ running }},
        {%- endif %}
        sum({{ remaining }}) over (
            partition by {{ together }}
        ) as {{ base }}
    from pass_{{ pass - 1 }}

),

dues_{{ pass }} as (

    select
        bases_{{ pass }}.*,
        case
            when percent_units_{{ pass }} is not null
                then {{ whole_quotient(
                    "2 * " ~ base ~ " * percent_units_" ~ pass ~ " + 1000000000000", "2000000000000"
                ) }}
            {%- if spans %}
            when total_units_{{ pass }} is not null
                then
                    least({{ running }}, total_units_{{ pass }})
                    - least({{ running }} - {{ base }}, total_units_{{ pass }})
            {%- endif %}
            when amount_units_{{ pass }} is not null
                then least({{ base }}, amount_units_{{ pass }})
        end as {{ due }}
    from bases_{{ pass }}

),

parts_{{ pass }} as (

    select
        dues_{{ pass }}.*,
        {{ whole_quotient(due ~ " * " ~ remaining, base) }} as part_{{ pass }},
        mod({{ due }} * {{ remaining }}, nullif({{ base }}, 0)) as remainder_{{ pass }}
    from dues_{{ pass }}

),

places_{{ pass }} as (

    select
        parts_{{ pass }}.*,
        {{ due }} - sum(part_{{ pass }}) over (
            partition by {{ together }}
        ) as spare_{{ pass }},
        row_number() over (
            partition by {{ together }}
            order by remainder_{{ pass }} desc, {{ line_number }}
        ) as place_{{ pass }}
    from parts_{{ pass }}

),

pass_{{ pass }} as (

    select
        places_{{ pass }}.*,
        {{ remaining }} - coalesce(
            part_{{ pass }}
            + case when place_{{ pass }} <= spare_{{ pass }} then 1 else 0 end,
            0
        ) as left_{{ pass }}
    from places_{{ pass }}

),
{%- endfor %}
{%- endmacro %}

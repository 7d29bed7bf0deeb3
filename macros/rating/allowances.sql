{#
    What of a quantity can be covered by an allowance, and rated: nothing of a negative one, or of
    one too large to compute.
#}
{% macro billable_quantity(quantity, is_in_range) -%}
    cast(
        case when {{ is_in_range }} then greatest({{ quantity }}, 0) else 0 end
        as {{ type_quantity() }}
    )
{%- endmacro %}

{% macro is_in_range(quantity, usage_amount) -%}
    {{ fits_quantity(quantity) }} and {{ fits_quantity("coalesce(" ~ usage_amount ~ ", 0)") }}
{%- endmacro %}

{# Whether the catalogue has shared allowances: without them nothing is asked of them. #}
{% macro has_allowances() -%}
    {{ return(has_rows(ref("stg_catalog__allowances"))) }}
{%- endmacro %}

{# The longest life of what is carried over, in steps; 0: nothing is, or not parsed yet. #}
{% macro longest_rollover() -%}
    {%- set allowances = ref("stg_catalog__allowances") -%}
    {%- if not execute or flags.WHICH in ["parse", "list", "ls"] -%} {{ return(0) }} {%- endif -%}
    {{ return(run_query(
        "select cast(coalesce(max(rollover_periods), 0) as integer) from " ~ allowances
    ).rows[0][0] | int) }}
{%- endmacro %}

{#
    One step of an allowance that is carried over, as nested selects over the CTEs `walk` (the step
    before) and `steps`. through_<a> is what is carried of age a or older: with it every rule is one
    subtraction, as the oldest is used, lost and cut off first.

    Worked example: 30 of age 2 and 70 of age 1 (through_1 100, through_2 30), own 100, 120 used:
    80 are left, all own; they are of age 1 in the next step.
#}
{% macro allowance_step(ages) -%}
    {%- set all_ages = range(1, ages + 1) | list -%}
    select
        subscription_id,
        allowance_id,
        chain_number,
        step_number,
        carried_in,
        available_quantity,
        used_quantity,
        {%- for age in all_ages %}
        cast(
            greatest(
                aged_{{ age }} - greatest(aged_1 - coalesce(rollover_cap, aged_1), 0), 0
            ) as {{ type_integral() }}
        ) as through_{{ age }}{{ "," if not loop.last }}
        {%- endfor %}
    from (
        select
            used.*,
            {%- for age in all_ages %}
            greatest(
                {% if age == 1 -%}
                available_quantity - used_quantity
                {%- else -%}
                through_{{ age - 1 }} - too_old - used_quantity
                {%- endif %}
                - case rollover_periods
                    when 0 then available_quantity - used_quantity
                    {%- for life in all_ages %}
                    when {{ life }} then greatest(through_{{ life }} - too_old - used_quantity, 0)
                    {%- endfor %}
                end,
                0
            ) as aged_{{ age }}{{ "," if not loop.last }}
            {%- endfor %}
        from (
            select
                available.*,
                cast(
                    least(billable_quantity, available_quantity) as {{ type_integral() }}
                ) as used_quantity
            from (
                select
                    offered.*,
                    cast(own_quantity + carried_in - too_old as {{ type_integral() }})
                        as available_quantity
                from (
                    select
                        steps.subscription_id,
                        steps.allowance_id,
                        steps.chain_number,
                        steps.step_number,
                        steps.own_quantity,
                        steps.billable_quantity,
                        steps.rollover_periods,
                        steps.rollover_cap,
                        walk.through_1 as carried_in,
                        {%- for age in all_ages %}
                        walk.through_{{ age }},
                        {%- endfor %}
                        case steps.rollover_periods
                            {%- for life in all_ages %}
                            when {{ life - 1 }} then walk.through_{{ life }}
                            {%- endfor %}
                            else 0
                        end as too_old
                    from walk
                    inner join steps
                        on
                            walk.subscription_id = steps.subscription_id
                            and walk.allowance_id = steps.allowance_id
                            and walk.chain_number = steps.chain_number
                            and steps.step_number = walk.step_number + 1
                ) as offered
            ) as available
        ) as used
    ) as aged
{%- endmacro %}

{#
    What each step of a shared allowance had and used (int_rating__allowance_draws). One that is
    carried over is a fold over a subscription's steps, from where the last closed one left it.
#}
{% macro allowance_draws() -%}
    {%- set ages = longest_rollover() -%}
    {%- set lots = earlier_relation("rating", "int_rating__allowance_lots") -%}
    with{{ " recursive" if ages }}

    allowance_steps as (

        select * from {{ ref('int_rating__allowance_steps') }}

    ),

    {% if ages -%}
    allowances as (

        select * from {{ ref('stg_catalog__allowances') }}

    ),

    -- Every step of an allowance that some plan carries over, numbered from the first open one.
    steps as (

        select
            allowance_steps.*,
            row_number() over (
                partition by
                    allowance_steps.subscription_id,
                    allowance_steps.allowance_id,
                    allowance_steps.chain_number
                order by allowance_steps.own_period_number, allowance_steps.part_from
            ) as step_number
        from allowance_steps
        where
            not allowance_steps.is_pooled
            and exists (
                select 1
                from allowances
                where
                    allowances.allowance_id = allowance_steps.allowance_id
                    and allowances.rollover_periods > 0
            )

    ),

    left_lots as (

        {% if lots -%}
        select
            subscription_id,
            allowance_id,
            age,
            quantity,
            rank() over (
                partition by subscription_id, allowance_id
                order by period_number desc, part_from desc
            ) as recency
        from {{ lots }}
        where cutoff_at <= {{ open_from() }}
        {%- else -%}
        select
            subscription_id,
            allowance_id,
            0 as age,
            own_quantity as quantity,
            0 as recency
        from steps
        where false
        {%- endif %}

    ),

    walk as (

        select
            steps.subscription_id,
            steps.allowance_id,
            steps.chain_number,
            cast(0 as bigint) as step_number,
            cast(0 as {{ type_integral() }}) as carried_in,
            cast(0 as {{ type_integral() }}) as available_quantity,
            cast(0 as {{ type_integral() }}) as used_quantity,
            {%- for age in range(1, ages + 1) %}
            cast(
                coalesce(
                    sum(case when left_lots.age >= {{ age }} then left_lots.quantity end), 0
                ) as {{ type_integral() }}
            ) as through_{{ age }}{{ "," if not loop.last }}
            {%- endfor %}
        from steps
        left join left_lots
            on
                steps.subscription_id = left_lots.subscription_id
                and steps.allowance_id = left_lots.allowance_id
                and steps.chain_number = 0
                and left_lots.recency = 1
        where steps.step_number = 1
        group by
            steps.subscription_id,
            steps.allowance_id,
            steps.chain_number

        union all

        {{ allowance_step(ages) | indent(4) }}

    ),

    {% endif -%}
    -- The members of a pool take in order, what those before them left.
    pooled as (

        select
            allowance_steps.*,
            sum(allowance_steps.own_quantity) over pool as pool_quantity,
            sum(allowance_steps.billable_quantity) over (
                partition by
                    allowance_steps.customer_id,
                    allowance_steps.allowance_id,
                    allowance_steps.cycle_from_date,
                    allowance_steps.chain_number
                order by
                    allowance_steps.starts_at,
                    {{ binary_order('allowance_steps.subscription_id') }},
                    allowance_steps.own_period_number,
                    allowance_steps.part_from
                rows between unbounded preceding and current row
            ) - allowance_steps.billable_quantity as taken_before
        from allowance_steps
        where allowance_steps.is_pooled
        window
            pool as (
                partition by
                    allowance_steps.customer_id,
                    allowance_steps.allowance_id,
                    allowance_steps.cycle_from_date,
                    allowance_steps.chain_number
            )

    ),

    drawn as (

        select
            subscription_id,
            allowance_id,
            period_number,
            part_from,
            0 as carried_in,
            greatest(pool_quantity - taken_before, 0) as available_quantity,
            {% for age in range(1, ages + 1) -%}
            0 as through_{{ age }},
            {% endfor -%}
            least(billable_quantity, greatest(pool_quantity - taken_before, 0)) as used_quantity
        from pooled

        union all

        {% if ages -%}
        select
            steps.subscription_id,
            steps.allowance_id,
            steps.period_number,
            steps.part_from,
            walk.carried_in,
            walk.available_quantity,
            {% for age in range(1, ages + 1) -%}
            walk.through_{{ age }},
            {% endfor -%}
            walk.used_quantity
        from walk
        inner join steps
            on
                walk.subscription_id = steps.subscription_id
                and walk.allowance_id = steps.allowance_id
                and walk.chain_number = steps.chain_number
                and walk.step_number = steps.step_number

        union all

        {% endif -%}
        select
            allowance_steps.subscription_id,
            allowance_steps.allowance_id,
            allowance_steps.period_number,
            allowance_steps.part_from,
            0 as carried_in,
            allowance_steps.own_quantity as available_quantity,
            {% for age in range(1, ages + 1) -%}
            0 as through_{{ age }},
            {% endfor -%}
            least(allowance_steps.billable_quantity, allowance_steps.own_quantity) as used_quantity
        from allowance_steps
        where
            not allowance_steps.is_pooled
            {%- if ages %}
            and not exists (
                select 1
                from allowances
                where
                    allowances.allowance_id = allowance_steps.allowance_id
                    and allowances.rollover_periods > 0
            )
            {%- endif %}

    )

    select
        allowance_steps.subscription_id,
        allowance_steps.customer_id,
        allowance_steps.plan_id,
        allowance_steps.period_number,
        allowance_steps.allowance_id,
        allowance_steps.part_from,
        allowance_steps.part_to,
        allowance_steps.is_pooled,
        allowance_steps.own_quantity,
        cast(drawn.carried_in as {{ type_integral() }}) as carried_in,
        cast(drawn.available_quantity as {{ type_integral() }}) as available_quantity,
        cast(drawn.used_quantity as {{ type_integral() }}) as used_quantity,
        {% for age in range(1, ages + 1) -%}
        cast(drawn.through_{{ age }} as {{ type_integral() }}) as through_{{ age }},
        {% endfor -%}
        cast({{ "drawn.through_1" if ages else "0" }} as {{ type_integral() }}) as carried_out,
        allowance_steps.cutoff_at
    from allowance_steps
    inner join drawn
        on
            allowance_steps.subscription_id = drawn.subscription_id
            and allowance_steps.allowance_id = drawn.allowance_id
            and allowance_steps.period_number = drawn.period_number
            and allowance_steps.part_from = drawn.part_from
{%- endmacro %}

{# What a step leaves to the next one, by age: a step that leaves nothing says so. #}
{% macro allowance_lots() -%}
    {%- set ages = longest_rollover() -%}
    {%- for age in range(1, ages + 1) %}
    {{ "union all" if not loop.first }}
    select
        draws.subscription_id,
        draws.allowance_id,
        draws.period_number,
        draws.part_from,
        {{ age }} as age,
        cast(
            draws.through_{{ age }}{{ " - draws.through_" ~ (age + 1) if age < ages }}
            as {{ type_integral() }}
        ) as quantity,
        draws.cutoff_at
    from {{ ref("int_rating__allowance_draws") }} as draws
    where
        not draws.is_pooled
        and {{ is_first_rating('draws.period_number') }}
        {%- if age > 1 %}
        and draws.through_{{ age }}{{ " > draws.through_" ~ (age + 1) if age < ages else " > 0" }}
        {%- endif %}
    {%- else %}
    {{ no_rows([
        ("subscription_id", type_text()),
        ("allowance_id", type_text()),
        ("period_number", type_count()),
        ("part_from", type_timestamp()),
        ("age", "integer"),
        ("quantity", type_integral()),
        ("cutoff_at", type_timestamp()),
    ]) }}
    {%- endfor %}
{%- endmacro %}

{#
    `relation` (price rows with their billable quantity) with available_quantity, what an allowance
    covers of it and of the rows that share it, those of one allowance_key and part.
#}
{% macro allowed_quantities(relation) -%}
    {%- if not has_allowances() -%}
    select
        {{ relation }}.*,
        {{ relation }}.charge_id as allowance_key,
        {{ relation }}.allowance as available_quantity
    from {{ relation }}
    {%- else -%}
    select
        {{ relation }}.*,
        coalesce('shared ' || draws.allowance_id, 'own ' || {{ relation }}.charge_id)
            as allowance_key,
        coalesce(draws.available_quantity, {{ relation }}.allowance) as available_quantity
    from {{ relation }}
    left join {{ ref("int_rating__allowance_charges") }} as allowance_charges
        on
            {{ relation }}.plan_id = allowance_charges.plan_id
            and {{ relation }}.charge_id = allowance_charges.charge_id
    left join {{ ref("int_rating__allowance_draws") }} as draws
        on
            {{ relation }}.subscription_id = draws.subscription_id
            and {{ relation }}.period_number = draws.period_number
            and {{ relation }}.part_from = draws.part_from
            and allowance_charges.allowance_id = draws.allowance_id
    {%- endif -%}
{%- endmacro %}

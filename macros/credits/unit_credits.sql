{# Whether any charge may be priced in a unit of credit: else what is worked out of it is nothing. #}
{% macro has_units() -%}
    {{ return(has_rows(ref("stg_catalog__credit_units"))) }}
{%- endmacro %}

{#
    What grants in units of credit pay of documents, one row per document and grant: unit_total, the
    units of it that they cover, and credit_total, what these are worth there. Of a line, credits pay
    its worth less the worth of what no grant covers, each rounded once; a document has what that came
    to with it less what it came to before. Grants pay in the order in which they are drawn.

    Worked example: 11.63 units at 0.03 are 0.35. A grant covers 10.00: 1.63 are 0.05, so that it pays
    0.30. A correction brings 12.63, 0.38, and nobody pays: 2.63 are 0.08, of the other 0.03 nothing.

    CTEs that it reads: unit_documents (invoice_id, subscription_id, currency, cutoff_at, acted_at,
    action_id), unit_lines (invoice_id, own_rated_line_id, unit_total) and unit_entries (invoice_id,
    rated_line_id, grant_id, currency, amount; draws and give-backs). Gives the CTE unit_credits.
#}
{% macro unit_credits() -%}
    unit_moves as (

        select
            invoice_id,
            own_rated_line_id,
            cast(null as {{ type_text() }}) as unit,
            cast(null as {{ type_text() }}) as grant_id,
            unit_total,
            0 as covered_total
        from unit_lines

        union all

        select
            invoice_id,
            rated_line_id as own_rated_line_id,
            currency as unit,
            grant_id,
            0 as unit_total,
            -amount as covered_total
        from unit_entries

    ),

    -- The documents of a line, in order.
    unit_places as (

        select
            places.*,
            unit_documents.currency,
            row_number() over (
                partition by places.own_rated_line_id
                order by
                    unit_documents.cutoff_at,
                    unit_documents.acted_at asc nulls first,
                    {{ binary_order("unit_documents.action_id") }}
            ) as place_number,
            {{ number_of_rated_line(
                "unit_documents.subscription_id", "places.own_rated_line_id"
            ) }} as period_number,
            unit_documents.subscription_id
        from (
            select
                invoice_id,
                own_rated_line_id,
                sum(unit_total) as unit_total
            from unit_moves
            group by
                invoice_id,
                own_rated_line_id
        ) as places
        inner join unit_documents
            on places.invoice_id = unit_documents.invoice_id

    ),

    unit_grants as (

        select
            unit_moves.own_rated_line_id,
            unit_moves.grant_id,
            unit_moves.unit,
            grants.draw_rank
        from unit_moves
        inner join {{ ref("int_credits__grants") }} as grants
            on unit_moves.grant_id = grants.grant_id
        group by
            unit_moves.own_rated_line_id,
            unit_moves.grant_id,
            unit_moves.unit,
            grants.draw_rank

    ),

    unit_covers as (

        select
            invoice_id,
            own_rated_line_id,
            grant_id,
            sum(covered_total) as covered_total
        from unit_moves
        where grant_id is not null
        group by
            invoice_id,
            own_rated_line_id,
            grant_id

    ),

    unit_running as (

        select
            unit_places.invoice_id,
            unit_places.own_rated_line_id,
            unit_places.place_number,
            unit_places.subscription_id,
            unit_places.period_number,
            unit_places.currency,
            unit_grants.grant_id,
            unit_grants.unit,
            unit_grants.draw_rank,
            coalesce(unit_covers.covered_total, 0) as covered_total,
            sum(unit_places.unit_total) over so_far as units_so_far,
            sum(coalesce(unit_covers.covered_total, 0)) over so_far as covered_so_far
        from unit_places
        inner join unit_grants
            on unit_places.own_rated_line_id = unit_grants.own_rated_line_id
        left join unit_covers
            on
                unit_places.invoice_id = unit_covers.invoice_id
                and unit_places.own_rated_line_id = unit_covers.own_rated_line_id
                and unit_grants.grant_id = unit_covers.grant_id
        window
            so_far as (
                partition by unit_places.own_rated_line_id, unit_grants.grant_id
                order by unit_places.place_number
                rows between unbounded preceding and current row
            )

    ),

    unit_shares as (

        select
            unit_running.*,
            unit_running.units_so_far - sum(unit_running.covered_so_far) over (
                partition by unit_running.own_rated_line_id, unit_running.place_number
                order by unit_running.draw_rank
                rows between unbounded preceding and current row
            ) as uncovered_after
        from unit_running

    ),

    unit_worths as (

        select
            unit_shares.*,
            {{ round_money(
                worth_of_units(
                    "(unit_shares.uncovered_after + unit_shares.covered_so_far)", "unit_rates.rate"
                ),
                "currencies.exponent"
            ) }} - {{ round_money(
                worth_of_units("unit_shares.uncovered_after", "unit_rates.rate"),
                "currencies.exponent"
            ) }} as worth_so_far
        from unit_shares
        inner join {{ ref("int_rating__unit_rates") }} as unit_rates
            on
                unit_shares.subscription_id = unit_rates.subscription_id
                and unit_shares.period_number = unit_rates.period_number
                and unit_shares.unit = unit_rates.unit
        inner join {{ ref("currencies") }} as currencies
            on unit_shares.currency = currencies.currency

    ),

    unit_steps as (

        select
            invoice_id,
            grant_id,
            unit,
            currency,
            covered_total,
            worth_so_far - coalesce(
                lag(worth_so_far) over (
                    partition by own_rated_line_id, grant_id
                    order by place_number
                ), 0
            ) as credit_total
        from unit_worths

    ),

    unit_credits as (

        select
            invoice_id,
            grant_id,
            unit,
            currency,
            cast(sum(covered_total) as {{ type_total() }}) as unit_total,
            cast(sum(credit_total) as {{ type_total() }}) as credit_total
        from unit_steps
        group by
            invoice_id,
            grant_id,
            unit,
            currency
        having sum(covered_total) <> 0 or sum(credit_total) <> 0

    )
{%- endmacro %}

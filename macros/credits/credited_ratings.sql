{#
    Ratings of lines with steps by day of usage that moments of the run go by (int_credits__ratings):
    of the close, of a correction or a reissue, and those that earlier runs kept of the same lines. Of
    a close that knew no grant of the customer nothing is kept, whenever it is built.
#}
{% macro credited_ratings() -%}
    {%- if not has_grants() -%}
    {{ no_rows([
        ("own_rated_line_id", type_text()),
        ("posted_date", "date"),
        ("moment_number", type_count()),
        ("usage_date", "date"),
        ("step_total", type_total()),
        ("is_kept", "boolean"),
        ("is_new", "boolean"),
    ]) }}
    {%- else -%}
    with

    netted as (

        select * from {{ ref("int_credits__moments") }}

    ),

    daily_targets as (

        select
            lines.rated_line_id as own_rated_line_id,
            lines.is_first_rating,
            daily_targets.known_date,
            daily_targets.usage_date,
            daily_targets.has_late_usage,
            daily_targets.target_total
        from {{ ref("int_credits__daily_targets") }} as daily_targets
        inner join {{ ref("int_credits__lines") }} as lines
            on daily_targets.line_number = lines.line_number

    ),

    closing_states as (

        select
            netted.own_rated_line_id,
            netted.posted_date,
            netted.moment_number,
            netted.granted_from_date,
            daily_targets.known_date,
            daily_targets.usage_date,
            daily_targets.has_late_usage,
            daily_targets.target_total
        from daily_targets
        inner join netted
            on
                daily_targets.own_rated_line_id = netted.own_rated_line_id
                and daily_targets.known_date <= netted.posted_date
        where
            daily_targets.is_first_rating
            and netted.is_own_close

    ),

    -- What was known last of each day when the period closed. Only late usage tells a day twice.
    last_states as (

        select
            own_rated_line_id,
            posted_date,
            moment_number,
            granted_from_date,
            usage_date,
            target_total,
            1 as recency
        from closing_states
        where not has_late_usage

        union all

        select
            own_rated_line_id,
            posted_date,
            moment_number,
            granted_from_date,
            usage_date,
            target_total,
            row_number() over (
                partition by
                    own_rated_line_id,
                    posted_date,
                    moment_number,
                    usage_date
                order by known_date desc
            ) as recency
        from closing_states
        where has_late_usage

    )

    select
        own_rated_line_id,
        posted_date,
        moment_number,
        usage_date,
        target_total as step_total,
        posted_date >= granted_from_date as is_kept,
        true as is_new
    from last_states
    where recency = 1

    union all

    select
        daily_targets.own_rated_line_id,
        netted.posted_date,
        netted.moment_number,
        daily_targets.usage_date,
        daily_targets.target_total as step_total,
        netted.posted_date >= netted.granted_from_date as is_kept,
        true as is_new
    from daily_targets
    inner join netted
        on
            daily_targets.own_rated_line_id = netted.own_rated_line_id
            and daily_targets.known_date = netted.posted_date
    where
        not daily_targets.is_first_rating
        and coalesce(netted.action, 'reissue') = 'reissue'

    union all

    select
        rated_line_id as own_rated_line_id,
        posted_date,
        moment_number,
        usage_date,
        step_total,
        true as is_kept,
        false as is_new
    from {{ source("ledger", "credit_vectors") }}
    where
        rated_line_id in (select own_rated_line_id from netted)
        and posted_date < {{ first_posting_date() }}
    {%- endif %}
{%- endmacro %}

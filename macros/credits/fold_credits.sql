{#
    Grants drawn down, given back, moved and ended (int_credits__entries): a fold over the moments of
    the run, in temporary tables that the model then reads.

    Between two moments at which a customer gets something back or moves credit between grants, all
    of their demands, of however many days, are one *stretch*: with a fixed order of grants and
    demands that only take, grant by grant over ordered demands is the same as demand by demand over
    ordered grants. So the fold makes one round per stretch, of all customers at once (their n-th
    stretches together), and within it one pass per run of neighbouring grants that may pay for the
    same demands: a pass is one running sum over demands; which grant of a run paid is where its
    interval of the running sums meets the demand's (one sort, whatever the number of grants).
    Neighbours of one kind of scope but of other ids (two meters, say) pay for demands that have
    nothing in common, so they share a run as *pots* beside each other.

    A stretch of very many demands is drawn in *parts*, by posting day: whoever has nothing left after
    the first is not looked at in the next. (Demand by demand, where it is cut makes no difference.)

    Tables: credit_fold_grants (what is left of each), credit_fold_demands, credit_fold_breaks
    (moments that begin a stretch, with their falls or move), credit_fold_entries; within a stretch
    credit_fold_runs and credit_fold_left (what its demands still ask for). An account, here, is a
    customer's grants in one currency; it goes by a number, of no meaning outside the fold.
#}
{% macro fold_credits() -%}
    {%- if execute and flags.WHICH not in ["parse", "list", "ls", "compile"] and has_grants() -%}
        {%- do begin_credit_fold() -%}
        {%- set stretches = run_query(
            "select stretch_number, sum(demand_count), sum(fall_count), sum(move_count) from ("
            ~ " select stretch_number, 1 as demand_count, 0 as fall_count, 0 as move_count"
            ~ " from credit_fold_demands union all"
            ~ " select stretch_number, 0, case when move_id is null then 1 else 0 end,"
            ~ " case when move_id is null then 0 else 1 end from credit_fold_breaks"
            ~ ") as parts group by stretch_number order by stretch_number"
        ).rows -%}
        {%- for row in stretches -%}
            {%- if row[2] > 0 -%} {%- do give_credits_back(row[0]) -%} {%- endif -%}
            {%- if row[3] > 0 -%} {%- do move_credits(row[0]) -%} {%- endif -%}
            {%- if row[2] > 0 or row[3] > 0 -%} {%- do settle_grants(row[0], "<>") -%} {%- endif -%}
            {%- if row[1] > 0 -%}
                {%- for part in parts_of_stretch(row[0], row[1]) -%}
                    {%- do draw_credits(row[0], part) -%}
                {%- endfor -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do end_credit_fold() -%}
    {%- endif -%}
{%- endmacro %}

{# The entries of the fold, or no rows where there was none. #}
{% macro folded_entries() -%}
    {%- if execute and flags.WHICH not in ["parse", "list", "ls", "compile"] and has_grants() -%}
    select * from credit_fold_entries
    {%- else -%}
    {{ no_rows(credit_entry_columns()) }}
    {%- endif -%}
{%- endmacro %}

{% macro credit_entry_columns() -%}
    {{ return([
        ("posted_date", "date"),
        ("moment_number", type_count()),
        ("entry_kind", type_text()),
        ("grant_id", type_text()),
        ("customer_id", type_text()),
        ("currency", type_text()),
        ("amount", type_total()),
        ("rated_line_id", type_text()),
        ("usage_date", "date"),
        ("invoice_id", type_text()),
        ("action_id", type_text()),
    ]) }}
{%- endmacro %}

{# Moments of a day after all documents: transfers between grants, and their ends. #}
{% macro moment_of_moves() -%} 1000000 {%- endmacro %}
{% macro moment_of_ends() -%} 1000001 {%- endmacro %}

{# The fold is run while its model is compiled: in the model's transaction, before the pre-hooks. #}
{% macro begin_credit_fold() -%}
    {%- set memory = more_memory() -%}
    {%- if memory -%} {%- do run_query(memory) -%} {%- endif -%}
    {%- for name in ["entries", "breaks", "demands", "grants"] -%}
        {%- do run_query("drop table if exists credit_fold_" ~ name) -%}
    {%- endfor -%}
    {%- do run_query(credit_fold_grants()) -%}
    {%- do run_query(credit_fold_breaks()) -%}
    {%- do run_query(credit_fold_demands()) -%}
    {%- set columns = credit_entry_columns() + [("stretch_number", type_count())] -%}
    {%- do run_query(
        "create temporary table credit_fold_entries as " ~ no_rows(columns)
    ) -%}
    {%- for name in ["grants", "breaks", "demands"] -%} {%- do count_fold(name) -%} {%- endfor -%}
{%- endmacro %}

{# Statistics of a table that was just made: else PostgreSQL takes it for longer than all demands. #}
{% macro count_fold(name) -%}
    {%- set statistics = analyze("credit_fold_" ~ name) -%}
    {%- if statistics -%} {%- do run_query(statistics) -%} {%- endif -%}
{%- endmacro %}

{# What each grant has left when the run begins; one that has not posted yet has all of it. #}
{% macro credit_fold_grants() %}
    create temporary table credit_fold_grants as
    select
        grants.grant_id,
        grants.customer_id,
        grants.currency,
        dense_rank() over (order by grants.customer_id, grants.currency) as account_number,
        grants.kind,
        grants.scope,
        grants.scope_id,
        grants.covers_true_up,
        grants.usage_from_date,
        grants.usage_to_date,
        grants.posted_from_date,
        grants.posted_to_date,
        least(grants.expiry_date, grants.void_date) as end_date,
        case
            when grants.void_date <= grants.expiry_date then 'void'
            else 'expiry'
        end as end_kind,
        grants.draw_rank,
        grants.amount,
        cast(
            case
                when grants.posted_from_date >= {{ first_posting_date() }} then grants.amount
                else 0
            end + coalesce(balances.balance_total, 0) as {{ type_total() }}
        ) as left_total
    from {{ ref("int_credits__grants") }} as grants
    left join {{ source("ledger", "credit_balances") }} as balances
        on
            grants.grant_id = balances.grant_id
            and balances.balance_date = {{ first_posting_date() }} - cast(1 as integer)
{% endmacro %}

{#
    Moments that begin a stretch of a customer: those at which a line asks for less than before, and,
    one by one, moves between grants (transfers, then what goes on into a grant's next occurrence).
#}
{% macro credit_fold_breaks() %}
    create temporary table credit_fold_breaks as
    with

    grants as (

        select * from {{ ref("int_credits__grants") }}

    ),

    actions as (

        select * from {{ ref("stg_catalog__credit_actions") }}
        where
            action = 'transfer'
            and recorded_at < {{ as_of_at() }}

    ),

    transfers as (

        select
            own.customer_id,
            own.currency,
            greatest(
                cast(actions.acts_at as date),
                cast(actions.recorded_at as date),
                own.posted_from_date,
                target.posted_from_date
            ) as posted_date,
            actions.acts_at,
            1 as move_kind,
            actions.action_id as move_id,
            own.grant_id as from_grant_id,
            target.grant_id as to_grant_id,
            actions.amount,
            least(own.usage_to_date, own.void_date, target.usage_to_date, target.void_date)
                as possible_to_date
        from actions
        inner join grants as own
            on actions.grant_id = own.grant_id
        inner join grants as target
            on
                actions.to_grant_id = target.grant_id
                and own.customer_id = target.customer_id
                and own.currency = target.currency

    ),

    rollovers as (

        select
            own.customer_id,
            own.currency,
            own.usage_to_date as posted_date,
            own.expires_at as acts_at,
            2 as move_kind,
            own.grant_id as move_id,
            own.grant_id as from_grant_id,
            target.grant_id as to_grant_id,
            own.rollover_cap as amount,
            least(
                own.usage_to_date, own.void_date - cast(1 as integer), target.void_date
            ) as possible_to_date
        from grants as own
        inner join grants as target
            on
                own.catalog_grant_id = target.catalog_grant_id
                and own.occurrence_number + 1 = target.occurrence_number
        where
            own.rollover_cap > 0
            and own.usage_to_date >= own.posted_from_date

    ),

    moves as (

        select * from transfers

        union all

        select * from rollovers

    ),

    breaks as (

        select
            lines.customer_id,
            lines.currency,
            steps.posted_date,
            steps.moment_number,
            0 as move_kind,
            cast(null as {{ type_timestamp() }}) as acts_at,
            cast(null as {{ type_text() }}) as move_id,
            cast(null as {{ type_text() }}) as from_grant_id,
            cast(null as {{ type_text() }}) as to_grant_id,
            cast(null as {{ type_total() }}) as amount
        from {{ ref("int_credits__steps") }} as steps
        inner join {{ ref("int_credits__step_lines") }} as lines
            on steps.line_place = lines.line_place
        where steps.asked_total < 0
        group by
            lines.customer_id,
            lines.currency,
            steps.posted_date,
            steps.moment_number

        union all

        select
            customer_id,
            currency,
            posted_date,
            {{ moment_of_moves() }} as moment_number,
            move_kind,
            acts_at,
            move_id,
            from_grant_id,
            to_grant_id,
            amount
        from moves
        where
            posted_date <= possible_to_date
            and posted_date >= {{ first_posting_date() }}
            and posted_date < cast({{ as_of_at() }} as date)

    )

    select
        breaks.*,
        row_number() over (
            partition by breaks.customer_id, breaks.currency
            order by
                breaks.posted_date,
                breaks.moment_number,
                breaks.move_kind,
                breaks.acts_at,
                {{ binary_order("breaks.move_id") }}
        ) as stretch_number
    from breaks
{% endmacro %}

{# What lines ask for, each in the stretch that the last break before it began. #}
{% macro credit_fold_demands() %}
    create temporary table credit_fold_demands as
    with

    accounts as (

        select
            customer_id,
            currency,
            account_number
        from credit_fold_grants
        group by
            customer_id,
            currency,
            account_number

    ),

    lines as (

        select
            step_lines.*,
            accounts.account_number
        from {{ ref("int_credits__step_lines") }} as step_lines
        inner join accounts
            on
                step_lines.customer_id = accounts.customer_id
                and step_lines.currency = accounts.currency

    ),

    -- Demands are numbered by their days and lines, both few: to sort them all would cost more.
    day_ranks as (

        select
            posted_date,
            moment_number,
            usage_date,
            row_number() over (order by posted_date, moment_number, usage_date) as day_rank
        from {{ ref("int_credits__steps") }}
        group by
            posted_date,
            moment_number,
            usage_date

    ),

    breaks as (

        select
            accounts.account_number,
            breaks.posted_date,
            breaks.moment_number,
            breaks.stretch_number
        from credit_fold_breaks as breaks
        inner join accounts
            on
                breaks.customer_id = accounts.customer_id
                and breaks.currency = accounts.currency

    ),

    placed as (

        select
            lines.account_number,
            steps.posted_date,
            steps.moment_number,
            1 as is_demand,
            cast(0 as {{ type_count() }}) as stretch_number
        from {{ ref("int_credits__steps") }} as steps
        inner join lines
            on steps.line_place = lines.line_place
        where
            steps.asked_total > 0
            and lines.account_number in (select account_number from breaks)
        group by
            lines.account_number,
            steps.posted_date,
            steps.moment_number

        union all

        select
            account_number,
            posted_date,
            moment_number,
            0 as is_demand,
            stretch_number
        from breaks

    ),

    stretched as (

        select
            account_number,
            posted_date,
            moment_number,
            is_demand,
            max(stretch_number) over (
                partition by account_number
                order by posted_date, moment_number, is_demand
            ) as stretch_number
        from placed

    )

    select
        lines.account_number,
        day_ranks.day_rank
        * (select max(line_place) + 1 from {{ ref("int_credits__steps") }})
        + steps.line_place as demand_number,
        steps.posted_date,
        steps.moment_number,
        steps.usage_date,
        lines.rated_line_id,
        coalesce(steps.invoice_id, lines.invoice_id) as invoice_id,
        lines.subscription_id,
        lines.product_id,
        lines.meter,
        lines.is_true_up,
        steps.asked_total as left_total,
        coalesce(stretched.stretch_number, 0) as stretch_number
    from {{ ref("int_credits__steps") }} as steps
    inner join lines
        on steps.line_place = lines.line_place
    inner join day_ranks
        on
            steps.posted_date = day_ranks.posted_date
            and steps.moment_number = day_ranks.moment_number
            and steps.usage_date = day_ranks.usage_date
    left join stretched
        on
            lines.account_number = stretched.account_number
            and steps.posted_date = stretched.posted_date
            and steps.moment_number = stretched.moment_number
            and stretched.is_demand = 1
    where steps.asked_total > 0
{% endmacro %}

{#
    What lines no longer ask for goes back: what was not paid by credits first, then grants in reverse
    of the order in which they are drawn. A grant that has ended keeps nothing of it: what a
    promotional one gets back expires, what a paid one does is customer balance.
#}
{% macro give_credits_back(stretch_number) -%}
    {%- set columns = column_names(credit_entry_columns()) ~ ", stretch_number" -%}
    {%- do run_query(credits_given_back(stretch_number, columns)) -%}
    {%- do run_query(
        "insert into credit_fold_entries (" ~ columns ~ ")"
        ~ " select entries.posted_date, entries.moment_number,"
        ~ " case grants.kind when 'promotional' then 'expiry' else 'to_balance' end,"
        ~ " entries.grant_id, entries.customer_id, entries.currency, -entries.amount,"
        ~ " entries.rated_line_id, entries.usage_date, entries.invoice_id, entries.action_id,"
        ~ " entries.stretch_number"
        ~ " from credit_fold_entries as entries"
        ~ " inner join credit_fold_grants as grants on entries.grant_id = grants.grant_id"
        ~ " where entries.stretch_number = " ~ stretch_number
        ~ " and entries.entry_kind = 'give_back' and grants.end_date < entries.posted_date"
    ) -%}
{%- endmacro %}

{% macro credits_given_back(stretch_number, columns) %}
    insert into credit_fold_entries ({{ columns }})
    with

    falls as (

        select
            lines.customer_id,
            lines.currency,
            lines.rated_line_id,
            steps.posted_date,
            steps.moment_number,
            steps.usage_date,
            steps.target_total,
            coalesce(steps.invoice_id, lines.invoice_id) as invoice_id
        from {{ ref("int_credits__steps") }} as steps
        inner join {{ ref("int_credits__step_lines") }} as lines
            on steps.line_place = lines.line_place
        inner join credit_fold_breaks as breaks
            on
                lines.customer_id = breaks.customer_id
                and lines.currency = breaks.currency
                and steps.posted_date = breaks.posted_date
                and steps.moment_number = breaks.moment_number
        where
            breaks.stretch_number = {{ stretch_number }}
            and breaks.move_id is null
            and steps.asked_total < 0

    ),

    movements as (

        select
            entries.rated_line_id,
            entries.usage_date,
            entries.grant_id,
            entries.amount
        from {{ source("ledger", "credit_entries") }} as entries
        where
            entries.entry_kind in ('draw', 'give_back')
            and entries.rated_line_id in (select rated_line_id from falls)
            and entries.posted_date < {{ first_posting_date() }}

        union all

        select
            entries.rated_line_id,
            entries.usage_date,
            entries.grant_id,
            entries.amount
        from credit_fold_entries as entries
        where
            entries.entry_kind in ('draw', 'give_back')
            and entries.rated_line_id in (select rated_line_id from falls)

    ),

    paid as (

        select
            rated_line_id,
            usage_date,
            grant_id,
            -sum(amount) as paid_total
        from movements
        group by
            rated_line_id,
            usage_date,
            grant_id

    ),

    ranked as (

        select
            falls.*,
            paid.grant_id,
            paid.paid_total,
            sum(paid.paid_total) over (
                partition by paid.rated_line_id, paid.usage_date
            ) as line_paid_total,
            sum(paid.paid_total) over (
                partition by paid.rated_line_id, paid.usage_date
                order by grants.draw_rank desc
                rows between unbounded preceding and current row
            ) as paid_through
        from falls
        inner join paid
            on
                falls.rated_line_id = paid.rated_line_id
                and falls.usage_date = paid.usage_date
        inner join credit_fold_grants as grants
            on paid.grant_id = grants.grant_id

    ),

    given as (

        select
            ranked.*,
            least(paid_through, greatest(line_paid_total - target_total, 0))
            - least(paid_through - paid_total, greatest(line_paid_total - target_total, 0))
                as given_total
        from ranked

    )

    select
        posted_date,
        moment_number,
        'give_back' as entry_kind,
        grant_id,
        customer_id,
        currency,
        given_total as amount,
        rated_line_id,
        usage_date,
        invoice_id,
        cast(null as {{ type_text() }}) as action_id,
        {{ stretch_number }} as stretch_number
    from given
    where given_total > 0
{% endmacro %}

{# A move takes what there is, at most what it says. #}
{% macro move_credits(stretch_number) -%}
    {%- set columns = column_names(credit_entry_columns()) ~ ", stretch_number" -%}
    {%- for side in ["from", "to"] -%}
        {%- do run_query(
            "insert into credit_fold_entries (" ~ columns ~ ")"
            ~ " select breaks.posted_date, breaks.moment_number, 'transfer', breaks."
            ~ side ~ "_grant_id, breaks.customer_id, breaks.currency, "
            ~ ("-" if side == "from" else "") ~ "least(breaks.amount, grants.left_total),"
            ~ " null, null, null, breaks.move_id, breaks.stretch_number"
            ~ " from credit_fold_breaks as breaks"
            ~ " inner join credit_fold_grants as grants on breaks.from_grant_id = grants.grant_id"
            ~ " where breaks.stretch_number = " ~ stretch_number
            ~ " and breaks.move_id is not null and grants.left_total > 0"
        ) -%}
    {%- endfor -%}
{%- endmacro %}

{#
    What a stretch's entries of some kinds leave of each grant. In the order of grants, as their table
    has them: an update out of order costs DuckDB ten times as much.
#}
{% macro settle_grants(stretch_number, is_draw, part="true") -%}
    {%- do run_query(
        "update credit_fold_grants set left_total = credit_fold_grants.left_total + moved.amount"
        ~ " from (select grant_id, sum(amount) as amount from credit_fold_entries"
        ~ " where stretch_number = " ~ stretch_number ~ " and entry_kind " ~ is_draw ~ " 'draw'"
        ~ " and " ~ part ~ " group by grant_id order by grant_id) as moved"
        ~ " where credit_fold_grants.grant_id = moved.grant_id"
    ) -%}
{%- endmacro %}

{#
    Conditions on posted_date that cut a stretch into parts: all of it, or, of very many demands, about
    an eighth, an eighth, a quarter and a half, since credits run out early or not at all. (A test cuts
    small ones: TALLY_DEMANDS_IN_PARTS.)
#}
{% macro parts_of_stretch(stretch_number, demand_count) -%}
    {%- if demand_count < env_var("TALLY_DEMANDS_IN_PARTS", "100000") | int -%}
        {{ return(["true"]) }}
    {%- endif -%}
    {%- set days = run_query(
        "select posted_date, sum(count(*)) over (order by posted_date)"
        ~ " from credit_fold_demands where stretch_number = " ~ stretch_number
        ~ " group by posted_date order by posted_date"
    ).rows -%}
    {%- set cuts = [] -%}
    {%- for share in [8, 4, 2, 1] -%}
        {%- set reached = days | selectattr(1, "ge", demand_count / share) | first -%}
        {%- if reached[0] not in cuts -%} {%- do cuts.append(reached[0]) -%} {%- endif -%}
    {%- endfor -%}
    {%- set parts = [] -%}
    {%- for cut in cuts -%}
        {%- set after = "posted_date > '" ~ cuts[loop.index0 - 1] ~ "' and " -%}
        {%- do parts.append(
            ("" if loop.first else after) ~ "posted_date <= '" ~ cut ~ "'"
        ) -%}
    {%- endfor -%}
    {{ return(parts) }}
{%- endmacro %}

{# The passes of one part of a stretch. #}
{% macro draw_credits(stretch_number, part) -%}
    {%- for name in ["runs", "left"] -%}
        {%- do run_query("drop table if exists credit_fold_" ~ name) -%}
    {%- endfor -%}
    {%- do run_query(credit_fold_runs(stretch_number, part)) -%}
    {%- do count_fold("runs") -%}
    {%- set runs = run_query(
        "select run_number, max(grant_count) from (select run_number, count(*) as grant_count"
        ~ " from credit_fold_runs group by pot_number, run_number) as pots"
        ~ " group by run_number order by run_number"
    ).rows -%}
    {%- if runs -%}
        {%- do run_query(
            "create temporary table credit_fold_left as select account_number, demand_number,"
            ~ " posted_date, usage_date, subscription_id, product_id, meter, is_true_up, left_total"
            ~ " from credit_fold_demands where stretch_number = " ~ stretch_number ~ " and " ~ part
            ~ " and account_number in (select account_number from credit_fold_runs)"
        ) -%}
        {%- for row in runs -%}
            {%- do run_query("drop table if exists credit_fold_pass") -%}
            {%- do run_query(credit_pass(row[0])) -%}
            {%- do count_fold("pass") -%}
            {%- do run_query(credits_drawn(stretch_number, row[0], row[1] > 1)) -%}
            {%- if not loop.last -%}
                {%- do run_query(
                    "update credit_fold_left"
                    ~ " set left_total = credit_fold_left.left_total - pass.drawn_total"
                    ~ " from credit_fold_pass as pass"
                    ~ " where credit_fold_left.account_number = pass.account_number"
                    ~ " and credit_fold_left.demand_number = pass.demand_number"
                ) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do settle_grants(stretch_number, "=", part) -%}
    {%- endif -%}
{%- endmacro %}

{#
    Grants that can pay for something in the part, in runs of neighbours with one kind of scope and,
    as far as the part's demands reach, one window of usage days and posting days.
#}
{% macro credit_fold_runs(stretch_number, part) %}
    create temporary table credit_fold_runs as
    with

    bounds as (

        select
            account_number,
            min(usage_date) as first_usage_date,
            max(usage_date) as last_usage_date,
            min(posted_date) as first_posted_date,
            max(posted_date) as last_posted_date,
            max(case when is_true_up then 1 else 0 end) = 1 as has_true_up
        from credit_fold_demands
        where
            stretch_number = {{ stretch_number }}
            and {{ part }}
            and account_number in (
                select account_number from credit_fold_grants where left_total > 0
            )
        group by account_number

    ),

    live as (

        select
            grants.grant_id,
            grants.customer_id,
            grants.currency,
            grants.account_number,
            grants.draw_rank,
            grants.left_total,
            grants.scope,
            coalesce(grants.scope_id, '') as scope_key,
            grants.covers_true_up or not bounds.has_true_up as covers_true_up,
            greatest(grants.usage_from_date, bounds.first_usage_date) as usage_from_date,
            least(grants.usage_to_date, bounds.last_usage_date) as usage_to_date,
            greatest(grants.posted_from_date, bounds.first_posted_date) as posted_from_date,
            least(grants.posted_to_date, bounds.last_posted_date) as posted_to_date
        from credit_fold_grants as grants
        inner join bounds
            on grants.account_number = bounds.account_number
        where
            grants.left_total > 0
            and grants.usage_from_date <= bounds.last_usage_date
            and grants.usage_to_date >= bounds.first_usage_date
            and grants.posted_from_date <= bounds.last_posted_date
            and grants.posted_to_date >= bounds.first_posted_date

    ),

    followed as (

        select
            live.*,
            case
                when
                    lag(scope) over by_rank is not distinct from scope
                    and lag(covers_true_up) over by_rank is not distinct from covers_true_up
                    and lag(usage_from_date) over by_rank is not distinct from usage_from_date
                    and lag(usage_to_date) over by_rank is not distinct from usage_to_date
                    and lag(posted_from_date) over by_rank is not distinct from posted_from_date
                    and lag(posted_to_date) over by_rank is not distinct from posted_to_date
                    then 0
                else 1
            end as begins_run
        from live
        window
            by_rank as (partition by account_number order by draw_rank)

    ),

    runs as (

        select
            followed.*,
            sum(begins_run) over (
                partition by account_number
                order by draw_rank
                rows between unbounded preceding and current row
            ) as run_number
        from followed

    )

    select
        runs.*,
        dense_rank() over (order by account_number, run_number, scope_key) as pot_number
    from runs
{% endmacro %}

{#
    One pass: what the demands that are left take from their customer's run of this number. One row
    per demand that takes something.
#}
{% macro credit_pass(run_number) %}
    create temporary table credit_fold_pass as
    with

    pots as (

        select
            pot_number,
            account_number,
            scope_key,
            sum(left_total) as pot_total
        from credit_fold_runs
        where run_number = {{ run_number }}
        group by
            pot_number,
            account_number,
            scope_key

    ),

    runs as (

        select
            account_number,
            scope,
            covers_true_up,
            usage_from_date,
            usage_to_date,
            posted_from_date,
            posted_to_date
        from credit_fold_runs
        where run_number = {{ run_number }}
        group by
            account_number,
            scope,
            covers_true_up,
            usage_from_date,
            usage_to_date,
            posted_from_date,
            posted_to_date

    ),

    eligible as (

        select
            demands.account_number,
            demands.demand_number,
            demands.left_total,
            case runs.scope
                when 'subscription' then demands.subscription_id
                when 'product' then demands.product_id
                when 'meter' then demands.meter
                else ''
            end as scope_key
        from credit_fold_left as demands
        inner join runs
            on demands.account_number = runs.account_number
        where
            demands.left_total > 0
            and demands.usage_date between runs.usage_from_date and runs.usage_to_date
            and demands.posted_date between runs.posted_from_date and runs.posted_to_date
            and (runs.covers_true_up or not demands.is_true_up)

    ),

    asked as (

        select
            pots.pot_number,
            eligible.demand_number,
            eligible.left_total as asked_total,
            sum(eligible.left_total) over (
                partition by pots.pot_number
                order by eligible.demand_number
                rows between unbounded preceding and current row
            ) as asked_through
        from eligible
        inner join pots
            on
                eligible.account_number = pots.account_number
                and eligible.scope_key = pots.scope_key

    )

    select
        asked.pot_number,
        pots.account_number,
        asked.demand_number,
        cast(
            least(asked.asked_through, pots.pot_total)
            - (asked.asked_through - asked.asked_total) as {{ type_total() }}
        ) as drawn_total
    from asked
    inner join pots
        on asked.pot_number = pots.pot_number
    where asked.asked_through - asked.asked_total < pots.pot_total
{% endmacro %}

{#
    The entries of a pass. Where a pot has several grants, the running sums of what was drawn and of
    what the grants had cut one line into intervals: each belongs to the first demand and the first
    grant whose running sum reaches it.
#}
{% macro credits_drawn(stretch_number, run_number, has_several) %}
    insert into credit_fold_entries
        ({{ column_names(credit_entry_columns()) }}, stretch_number)
    {%- if has_several %}
    with

    points as (

        select
            pot_number,
            sum(drawn_total) over (
                partition by pot_number
                order by demand_number
                rows between unbounded preceding and current row
            ) as reached,
            demand_number,
            cast(null as {{ type_count() }}) as draw_rank
        from credit_fold_pass

        union all

        select
            pot_number,
            sum(left_total) over (
                partition by pot_number
                order by draw_rank
                rows between unbounded preceding and current row
            ) as reached,
            cast(null as {{ type_count() }}) as demand_number,
            draw_rank
        from credit_fold_runs
        where run_number = {{ run_number }}

    ),

    cuts as (

        select
            pot_number,
            reached,
            min(demand_number) as demand_number,
            min(draw_rank) as draw_rank
        from points
        group by
            pot_number,
            reached

    ),

    -- Read from the end: PostgreSQL begins a minimum of what follows anew for each row.
    intervals as (

        select
            pot_number,
            reached - coalesce(lead(reached) over from_the_end, 0) as drawn_total,
            min(demand_number) over through_here as demand_number,
            min(draw_rank) over through_here as draw_rank
        from cuts
        window
            from_the_end as (partition by pot_number order by reached desc),
            through_here as (
                partition by pot_number
                order by reached desc
                rows between unbounded preceding and current row
            )

    )

    {% endif %}
    select
        demands.posted_date,
        demands.moment_number,
        'draw' as entry_kind,
        runs.grant_id,
        runs.customer_id,
        runs.currency,
        -drawn.drawn_total as amount,
        demands.rated_line_id,
        demands.usage_date,
        demands.invoice_id,
        cast(null as {{ type_text() }}) as action_id,
        {{ stretch_number }} as stretch_number
    from {{ "intervals" if has_several else "credit_fold_pass" }} as drawn
    inner join credit_fold_runs as runs
        on
            drawn.pot_number = runs.pot_number
            {%- if has_several %}
            and drawn.draw_rank = runs.draw_rank
            {%- endif %}
    inner join credit_fold_demands as demands
        on
            runs.account_number = demands.account_number
            and drawn.demand_number = demands.demand_number
{% endmacro %}

{# Grants as they post, and what is left of them when they end. #}
{% macro end_credit_fold() -%}
    {%- set columns = column_names(credit_entry_columns()) -%}
    {%- do run_query(
        "insert into credit_fold_entries (" ~ columns ~ ")"
        ~ " select posted_from_date, 0, 'grant', grant_id, customer_id, currency, amount,"
        ~ " null, null, null, null from credit_fold_grants"
        ~ " where posted_from_date >= " ~ first_posting_date()
        ~ " and posted_from_date < cast(" ~ as_of_at() ~ " as date)"
    ) -%}
    {%- do run_query(
        "insert into credit_fold_entries (" ~ columns ~ ")"
        ~ " select end_date, " ~ moment_of_ends() ~ ", end_kind, grant_id, customer_id, currency,"
        ~ " -left_total, null, null, null, null from credit_fold_grants"
        ~ " where left_total > 0 and end_date >= " ~ first_posting_date()
        ~ " and end_date < cast(" ~ as_of_at() ~ " as date)"
    ) -%}
{%- endmacro %}

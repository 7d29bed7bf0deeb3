{#
    The run's window, read from the model build_window, which every run makes first: a dictionary by
    column name. Where there is no warehouse yet (parsing, an empty run) every value is a
    placeholder. A node asks for it once: what its macros have in common is `context`.
#}
{% macro build_window() -%}
    {%- set relation = ref("build_window") -%}
    {%- if "known_window" in context -%} {{ return(context["known_window"]) }} {%- endif -%}
    {%- set names = [
        "from_day", "through_day", "deliveries_from_day", "as_of_day", "as_of_at", "close_at",
        "open_from", "sealed_until", "has_new_inputs",
    ] -%}
    {%- set window = {} -%}
    {%- for name in names -%} {%- do window.update({name: "1970-01-01"}) -%} {%- endfor -%}
    {%- if execute and flags.WHICH not in ["parse", "list", "ls"] -%}
        {%- set found = run_query("select " ~ names | join(", ") ~ " from " ~ relation) -%}
        {%- for row in found.rows -%}
            {%- for name in names -%} {%- do window.update({name: row[name]}) -%} {%- endfor -%}
        {%- endfor -%}
        {%- do context.update({"known_window": window}) -%}
    {%- endif -%}
    {{ return(window) }}
{%- endmacro %}

{# Whether a load day belongs to the run. #}
{% macro in_load_window(load_day) -%}
    {%- set window = build_window() -%}
    {{ load_day }} between cast('{{ window["from_day"] }}' as date)
    and cast('{{ window["through_day"] }}' as date)
{%- endmacro %}

{#
    The same for an instant, from the column `first_day` of build_window on; a range on the bare
    column, which zone maps and BRIN indexes prune.
#}
{% macro loaded_in_window(loaded_at, first_day="from_day") -%}
    {%- set window = build_window() -%}
    {{ loaded_at }} >= cast('{{ window[first_day] }}' as {{ type_timestamp() }})
    and {{ loaded_at }} < cast('{{ window["through_day"] }}' as {{ type_timestamp() }})
    + interval '1 day'
{%- endmacro %}

{# Midnight that ends the last load day the house knows: nothing later is known to a bill. #}
{% macro as_of_at() -%} {{ instant_of_window("as_of_at") }} {%- endmacro %}

{# What is cut off by this midnight is closed. #}
{% macro close_at() -%} {{ instant_of_window("close_at") }} {%- endmacro %}

{#
    An instant of the window: the instant itself, which planners go by. A view that BI reads takes it
    from the table, so that its definition is the same each day and can be published with the data.
#}
{% macro instant_of_window(name) -%}
    {%- if model.access == "public" and model.config.materialized == "view" -%}
        (select build_window.{{ name }} from {{ ref("build_window") }} as build_window)
    {%- else -%}
        cast('{{ build_window()[name] }}' as {{ type_timestamp() }})
    {%- endif -%}
{%- endmacro %}

{# Periods cut off after this midnight are computed again by the run, earlier ones kept. #}
{% macro open_from() -%}
    cast('{{ build_window()["open_from"] }}' as {{ type_timestamp() }})
{%- endmacro %}

{# Midnight before which every load day was sealed when the run began. #}
{% macro sealed_until() -%}
    cast('{{ build_window()["sealed_until"] }}' as {{ type_timestamp() }})
{%- endmacro %}

{# Whether the run computes every period again (a new house, or one built in full). #}
{% macro everything_is_open() -%}
    {{ return((build_window()["open_from"] | string)[:4] == "1900") }}
{%- endmacro %}

{# Whether an input other than events changed since the run before. #}
{% macro has_new_inputs() -%}
    {{ return((build_window()["has_new_inputs"] | string) == "True") }}
{%- endmacro %}

{# The load days whose unbilled usage the run finds again; see get_incremental_replace_window_sql. #}
{% macro in_unbilled_window(load_day) -%}
    {%- if everything_is_open() or has_new_inputs() -%}
        true
    {%- else -%}
        {{ load_day }} >= cast(
            cast('{{ build_window()["from_day"] }}' as {{ type_timestamp() }})
            - interval '1 day' as date
        )
        and {{ load_day }} <= cast('{{ build_window()["through_day"] }}' as date)
    {%- endif -%}
{%- endmacro %}

{# A table that an earlier run of this house made, or none. #}
{% macro earlier_relation(schema, identifier) -%}
    {%- if not execute or flags.FULL_REFRESH -%} {{ return(none) }} {%- endif -%}
    {{ return(adapter.get_relation(
        database=target.database,
        schema=var("schema_prefix", "") ~ schema,
        identifier=identifier
    )) }}
{%- endmacro %}

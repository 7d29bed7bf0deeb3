{#
    The meter profiles that the run knows, a list of dictionaries in the order of their names, read
    from the catalogue when a model is compiled: metering SQL is written for them, so that an event
    is read once and only for what some profile needs.

    number            1.. in this run
    meter_profile     `meter@version`
    definition        the same and a hash of everything that decides its rows: a changed profile is
                      another definition, whose rows are built anew and alone
    aggregation       the dictionary that its macro aggregation__<name> returns
    Raises a compiler error that names the macro file expected when an aggregation has no macro.
#}
{% macro meter_profiles() -%}
    {%- set meters = ref("stg_catalog__meters") -%}
    {%- set filters = ref("stg_catalog__meter_filters") -%}
    {#- as_of_at() reads it, in a branch where dbt does not see a parent. -#}
    {%- do ref("build_window") -%}
    {%- set profiles = [] -%}
    {%- if execute and flags.WHICH not in ["parse", "list", "ls"] -%}
        {%- set known = as_of_at() -%}
        {%- set filters_of = {} -%}
        {%- for row in run_query(
            "select meter_profile, property, operator, value from " ~ filters
            ~ " where recorded_at < " ~ known
            ~ " order by meter_profile, property, operator, value"
        ).rows -%}
            {%- do filters_of.setdefault(row["meter_profile"], []).append({
                "property": row["property"],
                "operator": row["operator"],
                "value": row["value"] if row["value"] is not none else "",
            }) -%}
        {%- endfor -%}
        {%- for row in run_query(
            "select meter_profile, event_name, aggregation, property, dimensions,"
            ~ " cast(multiplier as " ~ type_text() ~ ") as multiplier, rounding,"
            ~ " cast(rounding_digits as " ~ type_text() ~ ") as rounding_digits,"
            ~ " weighted_mode, amount_property"
            ~ " from " ~ meters ~ " where recorded_at < " ~ known ~ " order by meter_profile"
        ).rows -%}
            {%- set profile = {
                "event_name": row["event_name"],
                "aggregation_name": row["aggregation"],
                "property": row["property"],
                "dimensions": (row["dimensions"] or "").split("|") | select | list,
                "multiplier": row["multiplier"],
                "rounding": row["rounding"],
                "rounding_digits": row["rounding_digits"] | int,
                "weighted_mode": row["weighted_mode"],
                "amount_property": row["amount_property"],
                "filters": filters_of.get(row["meter_profile"], []),
            } -%}
            {%- set definition = row["meter_profile"] ~ "#" ~ local_md5(tojson(profile, sort_keys=true))[:12] -%}
            {%- do profile.update({
                "number": loop.index,
                "meter_profile": row["meter_profile"],
                "definition": definition,
                "aggregation": aggregation_named(row["aggregation"], row["weighted_mode"]),
            }) -%}
            {%- do profiles.append(profile) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(profiles) }}
{%- endmacro %}

{# What the macro of an aggregation says of it (macros/aggregation/<name>.sql). #}
{% macro aggregation_named(name, weighted_mode=none) -%}
    {%- set macro_name = "aggregation__" ~ name -%}
    {%- if macro_name not in context -%}
        {{ exceptions.raise_compiler_error(
            "the catalogue names the aggregation '" ~ name ~ "'; expected a macro " ~ macro_name
            ~ " in macros/aggregation/" ~ name ~ ".sql"
        ) }}
    {%- endif -%}
    {{ return(context[macro_name](weighted_mode)) }}
{%- endmacro %}

{# Events of a name that no profile reads, under a definition that changes with the names. #}
{% macro no_meter_definition(profiles) -%}
    {{ return("no_meter#" ~ local_md5(
        profiles | map(attribute="event_name") | unique | sort | join("\n")
    )[:12]) }}
{%- endmacro %}

{# Definitions whose rows an earlier run built and that still hold. #}
{% macro kept_definitions(profiles) -%}
    {%- set relation = earlier_relation("metering", "int_metering__built_profiles") -%}
    {%- set kept = [] -%}
    {%- if relation is not none -%}
        {%- set current = profiles | map(attribute="definition") | list + [no_meter_definition(profiles)] -%}
        {%- for row in run_query("select profile_definition from " ~ relation).rows -%}
            {%- if row[0] in current -%} {%- do kept.append(row[0]) -%} {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(kept) }}
{%- endmacro %}

{# For replaced_rows: rows of a definition that is gone, or built by this run over all days. #}
{% macro or_of_a_replaced_profile() -%}
    {%- set kept = kept_definitions(meter_profiles()) -%}
    {%- if not kept -%} or true
    {%- else -%} or profile_definition not in (
        {%- for definition in kept %}{{ text_literal(definition) }}{{ ", " if not loop.last }}{% endfor -%}
    )
    {%- endif -%}
{%- endmacro %}

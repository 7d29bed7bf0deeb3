{#
    The incremental strategy of the house: a run *replaces its whole window* and nothing else, in one
    transaction (`microbatch` and `merge` keep rows that the new run no longer produces).

    The model says which window in `meta.replaces`:
    load_days       the run's load days (column load_day)
    deliveries      the same, and the days before them that were skipped
    rollups         the run's load days, and every row of a meter profile that is no longer current
                    or not built yet (columns load_day, profile_definition)
    levels          the days from the run's first load day, or the first day without levels, on, and
                    every row of a profile that no longer carries (level_day, profile_definition)
    unbilled        the run's load days and the day before them (its usage may belong to a period
                    that has only begun now); all days when every period is computed again
    open_periods    what was not yet closed when the run began (column cutoff_at)
#}
{% macro get_incremental_replace_window_sql(arg_dict) %}
    {%- set columns = arg_dict["dest_columns"] | map(attribute="quoted") | join(", ") -%}
    delete from {{ arg_dict["target_relation"] }}
    where {{ replaced_rows(config.get("meta")["replaces"]) }};
    insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict["temp_relation"] }}
{% endmacro %}

{# The rows of `this` that the run replaces; see get_incremental_replace_window_sql. #}
{% macro replaced_rows(replaces) -%}
    {%- if replaces == "load_days" -%}
        {{ in_load_window("load_day") }}
    {%- elif replaces == "deliveries" -%}
        {{ loaded_in_window("loaded_at", "deliveries_from_day") }}
    {%- elif replaces == "rollups" -%}
        {{ in_load_window("load_day") }}
        {{ or_of_a_replaced_profile() }}
    {%- elif replaces == "levels" -%}
        {{ replaced_levels() }}
    {%- elif replaces == "unbilled" -%}
        {{ in_unbilled_window("load_day") }}
    {%- elif replaces == "open_periods" -%}
        cutoff_at > {{ open_from() }}
    {%- else -%}
        {{ exceptions.raise_compiler_error(
            "meta.replaces of " ~ this ~ " is '" ~ replaces
            ~ "'; expected load_days, deliveries, rollups, levels, unbilled or open_periods"
        ) }}
    {%- endif -%}
{%- endmacro %}

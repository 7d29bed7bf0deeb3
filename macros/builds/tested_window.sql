{#
    Whether a data test looks at a load day: those that the run wrote, or all (var full).
#}
{% macro in_tested_window(load_day) -%}
    {%- if var("full", false) -%} true {%- else -%} {{ in_load_window(load_day) }} {%- endif -%}
{%- endmacro %}

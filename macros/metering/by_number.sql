{#
    The text that a row's profile_number stands for: `meter_profile`, its name, or `dimensions`, the
    row's values of its dimensions as rollups write them (`region=eu|model=large`).
#}
{% macro by_number(profiles, what) -%}
    {%- if not profiles -%}
        cast(null as {{ type_text() }})
    {%- else -%}
    case profile_number
        {%- for profile in profiles %}
        when {{ profile["number"] }} then
            {%- if what == "meter_profile" %} {{ text_literal(profile["meter_profile"]) }}
            {%- elif not profile["dimensions"] %} ''
            {%- else %} concat_ws('|'
                {%- for name in profile["dimensions"] -%}
                , {{ dimension_text(name, "dimension_" ~ loop.index) }}
                {%- endfor -%}
            )
            {%- endif %}
        {%- endfor %}
    end
    {%- endif -%}
{%- endmacro %}

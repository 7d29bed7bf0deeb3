-- Written after the levels: what they reach to, and of which definitions.
-- depends_on: {{ ref('int_metering__levels_daily') }}
{% set profiles = carrying_definitions() %}
with

build_window as (

    select * from {{ ref('build_window') }}

),

profiles as (

    {% for profile in profiles -%}
    select {{ text_literal(profile["definition"]) }} as profile_definition
    {{ "union all" if not loop.last }}
    {% else -%}
        select cast(null as {{ type_text() }}) as profile_definition
        where false
    {%- endfor %}

)

select
    profiles.profile_definition,
    build_window.as_of_day as level_day
from profiles
cross join build_window

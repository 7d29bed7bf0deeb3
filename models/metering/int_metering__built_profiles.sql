-- Written after the rollups: what the next run need not build again.
-- depends_on: {{ ref('int_metering__rollups') }}
{% set profiles = meter_profiles() %}
select {{ text_literal(no_meter_definition(profiles)) }} as profile_definition
{%- for profile in profiles %}
union all
select {{ text_literal(profile["definition"]) }} as profile_definition
{%- endfor %}

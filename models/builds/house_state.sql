-- Written last of all: how far the house has come, for the next run to go on from.
-- depends_on: {{ ref('built_days') }}
with

build_window as (

    select * from {{ ref('build_window') }}

)

select
    as_of_day,
    close_at,
    inputs_hash
from build_window

{{ config(materialized='view') }}
select * from {{ ref('int_rating__due_credits') }}
where cutoff_at > {{ open_from() }}

{{ config(materialized="view", schema="marts") }}
{{ usage_by_time("hour") }}

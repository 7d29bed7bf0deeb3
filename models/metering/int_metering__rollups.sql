{{
    config(
        materialized="incremental",
        incremental_strategy="replace_window",
        meta={"replaces": "rollups"},
        indexes=postgres_indexes([{"columns": ["load_day"], "type": "brin"}]),
    )
}}
{{ usage_rollups() }}

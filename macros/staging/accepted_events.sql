{# Columns of an accepted event, typed, from a row of raw.usage_events. #}
{% macro accepted_event_columns(relation) -%}
    cast({{ relation }}.loaded_at as date) as load_day,
    {{ relation }}.loaded_at,
    {{ relation }}.load_id,
    {{ relation }}.line_number,
    {{ relation }}.customer_id,
    {{ delivery_key(relation) }} as event_key,
    {{ relation }}.event_name,
    case
        when coalesce({{ relation }}.occurred_at, '') = '' then {{ relation }}.loaded_at
        else {{ accepted_instant(relation ~ ".occurred_at") }}
    end as occurred_at,
    coalesce({{ relation }}.subscription_id, '') as subscription_id,
    coalesce({{ relation }}.subscription_item_id, '') as subscription_item_id,
    {{ relation }}.properties
{%- endmacro %}

{# try_utc_timestamp of a text that is known to pass it: the cast without the check. #}
{% macro accepted_instant(text) -%}
    {{ return(adapter.dispatch("accepted_instant")(text)) }}
{%- endmacro %}

{% macro default__accepted_instant(text) -%}
    {{ return(try_utc_timestamp(text)) }}
{%- endmacro %}

{# try_cast: the engine may compute it for a rejected row before it leaves the row out. #}
{% macro duckdb__accepted_instant(text) -%}
    make_timestamp(epoch_us(try_cast({{ text }} as timestamptz)))
{%- endmacro %}

{# Whether a raw row is an accepted first delivery. #}
{% macro is_not_excluded(relation, exclusions) -%}
    not exists (
        select 1
        from {{ exclusions }}
        where
            {{ exclusions }}.loaded_at = {{ relation }}.loaded_at
            and {{ exclusions }}.load_id = {{ relation }}.load_id
            and {{ exclusions }}.line_number = {{ relation }}.line_number
    )
{%- endmacro %}

{# Whether columns equal those of the key's first delivery, `first_<column>`. #}
{% macro same_content(columns) -%}
    (
    {%- for column in columns -%}
        {{ " and " if not loop.first }}{{ column }} = first_{{ column }}
    {%- endfor -%}
    )
{%- endmacro %}

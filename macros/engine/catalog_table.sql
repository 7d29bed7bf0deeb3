{#
    A table of the catalogue: the seed of that name, or the table of that name in the schema that
    the var catalog_schema names (an existing database that some other tool fills). Such a table
    is read as its CSV would be: every column a text, a blank null.
#}
{% macro catalog_table(name) -%}
    {%- if not var("catalog_schema", "") -%}
        {{ return(ref(name)) }}
    {%- endif -%}
    {%- set schema = var("catalog_schema") -%}
    {%- if not modules.re.fullmatch("[A-Za-z_][A-Za-z0-9_$]{0,62}", schema) -%}
        {{ exceptions.raise_compiler_error(
            "catalog_schema: found '" ~ schema ~ "', expected the name of a schema"
            ~ " (letters, digits, _ and $)"
        ) }}
    {%- endif -%}
    {%- if not execute -%}
        {{ return("(select 1) as " ~ name) }}
    {%- endif -%}
    {%- set relation = adapter.get_relation(target.database, schema, name) -%}
    {%- set existing = {} -%}
    {%- if relation is not none -%}
        {%- for column in adapter.get_columns_in_relation(relation) -%}
            {%- do existing.update({column.name: column}) -%}
        {%- endfor -%}
    {%- elif name not in optional_catalog_tables() -%}
        {{ exceptions.raise_compiler_error(
            "catalog_schema: there is no table " ~ name ~ " in the schema " ~ schema
        ) }}
    {%- endif -%}
    {%- set texts = [] -%}
    {%- for column in catalog_columns(name) -%}
        {%- if column in existing -%}
            {%- set text = "nullif(" ~ catalog_text(existing[column]) ~ ", '')" -%}
        {%- elif relation is not none and column not in optional_catalog_columns(name) -%}
            {{ exceptions.raise_compiler_error(
                "catalog_schema: there is no column " ~ column ~ " in " ~ schema ~ "." ~ name
            ) }}
        {%- else -%}
            {%- set text = "cast(null as " ~ type_text() ~ ")" -%}
        {%- endif -%}
        {%- do texts.append(text ~ " as " ~ adapter.quote(column)) -%}
    {%- endfor -%}
    {%- set source = "from " ~ relation if relation is not none else "where 1 = 0" -%}
    {{ return("(select " ~ texts | join(", ") ~ " " ~ source ~ ") as " ~ name) }}
{%- endmacro %}

{#
    The text of a column, whatever its type: dates and instants in ISO 8601 (a timestamp without
    zone is one in UTC), numbers without trailing zeros. The check of the catalogue reads tables
    by the same rules (orchestration/catalog_tables.py).
#}
{% macro catalog_text(column) -%}
    {%- set value = adapter.quote(column.name) -%}
    {%- set type = column.dtype | lower -%}
    {%- set text = "cast(" ~ value ~ " as " ~ type_text() ~ ")" -%}
    {%- if type.startswith("timestamp") -%}
        {%- set text = "replace(" ~ iso_instant(value, "tz" in type or "with time" in type)
            ~ ", '.000000Z', 'Z')" -%}
    {%- elif type == "date" -%}
        {%- set text = iso_date(value) -%}
    {%- elif modules.re.match("numeric|decimal|real|float|double", type) -%}
        {%- set text = "case when " ~ text ~ " like '%.%' and " ~ text ~ " not like '%e%' then "
            ~ "rtrim(rtrim(" ~ text ~ ", '0'), '.') else " ~ text ~ " end" -%}
    {%- endif -%}
    {%- if type == "date" or type.startswith("timestamp") -%}
        {%- set text = "case when isfinite(" ~ value ~ ") then " ~ text
            ~ " when " ~ value ~ " is not null then 'infinity' end" -%}
    {%- endif -%}
    {{ return(text) }}
{%- endmacro %}

{% macro iso_date(value) -%}
    {{ return(adapter.dispatch('iso_date')(value)) }}
{%- endmacro %}

{% macro default__iso_date(value) -%}
    {{ exceptions.raise_compiler_error("iso_date is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__iso_date(value) -%}
    {{ return("strftime(" ~ value ~ ", '%Y-%m-%d')") }}
{%- endmacro %}

{% macro postgres__iso_date(value) -%}
    {{ return("to_char(" ~ value ~ ", 'YYYY-MM-DD')") }}
{%- endmacro %}

{% macro iso_instant(value, has_zone) -%}
    {{ return(adapter.dispatch('iso_instant')(value, has_zone)) }}
{%- endmacro %}

{% macro default__iso_instant(value, has_zone) -%}
    {{ exceptions.raise_compiler_error("iso_instant is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__iso_instant(value, has_zone) -%}
    {{ return("strftime(make_timestamp(epoch_us(" ~ value ~ ")), '%Y-%m-%dT%H:%M:%S.%fZ')") }}
{%- endmacro %}

{% macro postgres__iso_instant(value, has_zone) -%}
    {%- set naive = "(" ~ value ~ " at time zone 'UTC')" if has_zone else value -%}
    {{ return("to_char(" ~ naive ~ ", 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')") }}
{%- endmacro %}

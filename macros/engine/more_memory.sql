{#
    A pre-hook of a model that sorts or hashes a million rows: with the 4 MB that PostgreSQL gives a
    sort by default they go to disk and back. A house that gives more keeps it. It holds for the
    model's own transaction, so not for what is run while the model is compiled (the credits' fold).
#}
{% macro more_memory() -%}
    {%- if target.type == "postgres" -%}
    select set_config('work_mem', '64MB', true)
    where pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('64MB')
    {%- endif -%}
{%- endmacro %}

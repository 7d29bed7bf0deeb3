{#
    Rows of a seed into its table on PostgreSQL, in place of dbt's own, which writes a placeholder
    for each value and has the driver quote each: a minute for the reference tables and a catalogue
    of some thousand prices on a slow processor. Rows go as one JSON text a batch, which the server
    takes apart, each value as the text that stands in the CSV, cast to its column's stated type.
    A seed with a column whose type is not stated (dbt infers it) goes dbt's way.
#}
{% macro postgres__load_csv_rows(model, agate_table) %}
    {%- set types = model["config"].get("column_types", {}) -%}
    {%- set names = agate_table.column_names -%}
    {%- if names | reject("in", types) | list -%}
        {{ return(default__load_csv_rows(model, agate_table)) }}
    {%- endif -%}
    {%- set sql -%}
        insert into {{ this.render() }} ({{ get_seed_column_quoted_csv(model, names) }})
        select
            {%- for name in names %}
            cast(seed_rows.seed_row ->> {{ loop.index0 }} as {{ types[name] }})
            {%- if not loop.last %}, {% endif %}
            {%- endfor %}
        from jsonb_array_elements(cast(%s as jsonb)) as seed_rows (seed_row)
    {%- endset -%}
    {%- for batch in agate_table.rows | batch(get_batch_size()) -%}
        {%- do adapter.add_query(
            sql, bindings=[tojson(batch | map("list") | list)], abridge_sql_log=True
        ) -%}
    {%- endfor -%}
    {{ return(sql) }}
{% endmacro %}

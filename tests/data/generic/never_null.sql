{#
    None of the columns has a null; a failing row is a column that has, with how many. All columns
    are counted in one pass over the model.

    Tables with a contract say it of their columns instead (`constraints`): the engine then refuses
    the row, which costs no test.
#}
{% test never_null(model, columns) %}

with

nulls as (

    select
    {%- for column in columns %}
        count(*) - count({{ column }}) as {{ column }}{{ "," if not loop.last }}
    {%- endfor %}
    from {{ model }}

)

{% for column in columns %}
select
    '{{ column }}' as column_name,
    {{ column }} as null_count
from nulls
where {{ column }} > 0
{{ "union all" if not loop.last }}
{% endfor %}

{% endtest %}

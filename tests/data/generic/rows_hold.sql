{#
    The expression is true of every row; a null is a failure. Several are given by name
    (`expressions`) and asked in one pass: the failing row says in `broken` which of them it breaks.
#}
{% test rows_hold(model, expression=none, expressions=none) %}

{%- set expressions = expressions or {"expression": expression} %}

select
    {%- for name, each in expressions.items() %}
    case when coalesce({{ each }}, false) then '' else '{{ name }} ' end
    {{- " ||" if not loop.last else " as broken," }}
    {%- endfor %}
    tested.*
from {{ model }} as tested
where
    not (
        {%- for each in expressions.values() %}
        coalesce({{ each }}, false){{ " and" if not loop.last }}
        {%- endfor %}
    )

{% endtest %}

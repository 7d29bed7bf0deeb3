{#
    The expression is true of every row; a null is a failure.
#}
{% test rows_hold(model, expression) %}

select *
from {{ model }}
where not coalesce({{ expression }}, false)

{% endtest %}

{#
    No two rows have the same values in all the columns, and none of them is null.
#}
{% test unique_combination(model, columns) %}

select
    {{ columns | join(",\n    ") }},
    count(*) as row_count
from {{ model }}
group by
    {{ columns | join(",\n    ") }}
having
    count(*) > 1
    or {{ columns | join(" is null\n    or ") }} is null

{% endtest %}

{#
    The exact amount of a price row in a part of a cycle, from cycle_amount and fee_amount of
    `relation`: counted usage stands and fees are due in proportion; what is no sum of its days (a
    maximum, a percentile) is rated as of the whole cycle and due in proportion.
#}
{% macro amount_in_share(relation) -%}
    {%- set ratio = [relation ~ ".share_numerator", relation ~ ".share_denominator"] -%}
    case
        when {{ ratio[0] }} = {{ ratio[1] }}
            then cast({{ relation }}.cycle_amount as decimal(38, 23))
        when {{ relation }}.is_rated_in_full
            then {{ share_of(relation ~ ".cycle_amount", ratio[0], ratio[1]) }}
        else cast(
            cast({{ relation }}.cycle_amount - {{ relation }}.fee_amount as decimal(38, 23))
            + {{ share_of(relation ~ ".fee_amount", ratio[0], ratio[1]) }} as decimal(38, 23)
        )
    end
{%- endmacro %}

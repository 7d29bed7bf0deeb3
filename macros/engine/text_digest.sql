{#
    The SHA-256 of a text (its UTF-8 bytes), as 64 lower-case hexadecimal digits.
#}
{% macro text_digest(text) -%}
    {{ return(adapter.dispatch("text_digest")(text)) }}
{%- endmacro %}

{% macro default__text_digest(text) -%}
    {{ exceptions.raise_compiler_error("text_digest is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__text_digest(text) -%}
    {{ return("sha256(" ~ text ~ ")") }}
{%- endmacro %}

{% macro postgres__text_digest(text) -%}
    {{ return("encode(sha256(convert_to(" ~ text ~ ", 'UTF8')), 'hex')") }}
{%- endmacro %}

{#
    One of four whole numbers of 60 bits that a digest begins with (`place` from 0): sums of them do
    not depend on the order of rows.
#}
{% macro digest_number(digest, place) -%}
    {{ return(adapter.dispatch("digest_number")(digest, place)) }}
{%- endmacro %}

{% macro default__digest_number(digest, place) -%}
    {{ exceptions.raise_compiler_error("digest_number is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__digest_number(digest, place) -%}
    {{ return(
        "cast('0x' || substr(" ~ digest ~ ", " ~ (place * 15 + 1) ~ ", 15) as bigint)"
    ) }}
{%- endmacro %}

{% macro postgres__digest_number(digest, place) -%}
    {{ return(
        "cast(cast('x' || substr(" ~ digest ~ ", " ~ (place * 15 + 1)
        ~ ", 15) as bit(60)) as bigint)"
    ) }}
{%- endmacro %}

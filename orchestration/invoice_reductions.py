"""What lowers what is due of an invoice: discounts on its lines, prepaid credits that pay it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from orchestration.marts import Marts, Row, grouped, grouped_money


def read_discounts(marts: Marts, column: str, value: str) -> list[Row]:
    """What each discount took off each line where a column of the lines has a value, in order."""
    return marts.rows(
        f"""
        select
            lines.line_id,
            lines.line_number,
            discounts.discount_number,
            discounts.discount_id,
            discounts.name,
            discounts.level,
            discounts.percent_fraction,
            discounts.discount_total
        from marts.line_discounts as discounts
        inner join marts.invoice_lines as lines
            on discounts.rated_line_id = lines.rated_line_id
        -- Of a correction they are those of the whole line, as rated again.
        where lines.{column} = ? and lines.adjusts_rated_line_id is null
        order by lines.line_number, discounts.discount_number
        """,
        value,
    )


def read_credits(marts: Marts, invoice_id: str) -> list[Row]:
    """What each grant of prepaid credits paid of an invoice, in the order in which they draw."""
    return marts.rows(
        """
        select credit_number, grant_id, grant_name, credit_total, currency, unit, unit_total
        from marts.invoice_credits
        where invoice_id = ?
        order by credit_number
        """,
        invoice_id,
    )


def discount_texts(discounts: Iterable[Row], currency: str, exponent: int) -> list[str]:
    """What each discount took off an invoice, or a line, in the order in which they act."""
    totals: dict[str, Decimal] = {}
    names: dict[str, str] = {}
    for one in discounts:
        name = str(one["name"] or one["discount_id"])
        if one["percent_fraction"] is not None:
            name += f" ({grouped(one['percent_fraction'] * 100)} %)"
        names[one["discount_id"]] = name
        totals[one["discount_id"]] = (
            totals.get(one["discount_id"], Decimal(0)) + (one["discount_total"])
        )
    return [
        f"{names[key]}: {grouped_money(-total, exponent)} {currency}"
        for key, total in totals.items()
    ]


def credit_texts(credits: Iterable[Row], exponent: int) -> list[str]:
    """What each grant paid; above zero where it got something back."""
    return [
        f"{one['grant_name']} ({one['grant_id']}): "
        f"{grouped_money(-one['credit_total'], exponent)} {one['currency']}"
        + (f" for {units_text(one['unit_total'], one['unit'])}" if one["unit"] else "")
        for one in credits
    ]


def units_text(total: Decimal, unit: str) -> str:
    """So many of a unit of credit."""
    return f"{grouped(total)} {unit}"


def unit_texts(lines: Iterable[Row], credits: Iterable[Row]) -> list[str]:
    """Of each unit of credit, how many the lines come to, how many grants cover, and the rest."""
    used: dict[str, Decimal] = {}
    for line in lines:
        if line["unit_total"] is not None:
            used[line["unit"]] = used.get(line["unit"], Decimal(0)) + line["unit_total"]
    covered = dict.fromkeys(used, Decimal(0))
    for one in credits:
        if one["unit"]:
            covered[one["unit"]] = covered.get(one["unit"], Decimal(0)) + one["unit_total"]
    return [
        f"{unit}: {grouped(used.get(unit, Decimal(0)))} used, {grouped(total)} covered by credits,"
        f" {grouped(used.get(unit, Decimal(0)) - total)} due as money"
        for unit, total in covered.items()
    ]

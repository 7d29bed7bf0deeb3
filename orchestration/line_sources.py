"""What an invoice line came from besides usage: prices, limits, commitments, other lines.

And the lines that belong together: a line and the corrections of it.
"""

from __future__ import annotations

from decimal import Decimal

from orchestration.marts import Marts, Row

#: What of a line adds up over its corrections.
MEASURES = (
    "event_count",
    "quantity",
    "covered_quantity",
    "rated_quantity",
    "amount",
    "rounded_total",
    "over_maximum_total",
    "discount_total",
    "line_total",
)
#: Lines of actions that state nothing of what a period comes to.
MARKING_KINDS = ("credited", "disputed", "resolved", "refunded")
LINE_COLUMNS = """
    lines.line_id,
    invoices.invoice_number,
    lines.line_kind,
    lines.charge_id,
    lines.name,
    lines.dimension_values,
    lines.quantity,
    lines.rounded_total,
    lines.over_maximum_total,
    lines.discount_total,
    lines.line_total,
    lines.cutoff_at
"""


def read_chain(marts: Marts, line: Row) -> list[Row]:
    """The line that `line` corrects, if it is a correction, and all corrections of it, in order.

    A void and a reissue are two of them; what is credited or disputed of a line is none.
    """
    own = line["adjusts_rated_line_id"] or line["rated_line_id"]
    return marts.rows(
        """
        select lines.*, invoices.invoice_number
        from marts.invoice_lines as lines
        left join marts.invoices as invoices
            on lines.invoice_id = invoices.invoice_id
        where
            lines.subscription_id = ?
            and lines.line_kind = ?
            and (lines.adjusts_rated_line_id = ? or lines.rated_line_id = ?)
        order by
            lines.cutoff_at,
            case when lines.rated_line_id is null then 1 else 0 end,
            lines.line_id
        """,
        line["subscription_id"],
        line["line_kind"],
        own,
        own,
    )


def summed(lines: list[Row]) -> Row:
    """The measures of a line and its corrections together; None where none of them has one."""
    totals: Row = {}
    for name in MEASURES:
        values = [line[name] for line in lines if line[name] is not None]
        totals[name] = sum(values[1:], values[0]) if values else None
    if not lines:
        totals["line_total"] = Decimal(0)
    return totals


def list_sources(marts: Marts, line: Row) -> dict[str, list[Row]]:
    """What the line came from, by kind: rows of the catalogue, and lines of invoices."""
    found: dict[str, list[Row]] = {}
    kind = line["line_kind"]
    if kind in ("usage", "recurring", "one_time"):
        found["prices"] = _prices(marts, line)
    if kind == "recurring":
        found["quantities"] = _quantities(marts, line)
    if kind in ("usage", "minimum"):
        found["limits"] = _limits(marts, line)
    if kind == "minimum":
        found["lines"] = _lines_below(marts, line)
    if kind == "credit":
        found["lines"] = _billed_fee(marts, line)
    if kind in MARKING_KINDS:
        found["lines"] = _line_acted_on(marts, line)
    if kind in ("true_up", "overage"):
        found["commitments"] = marts.rows(
            "select * from staging.stg_catalog__commitments where commitment_id = ?",
            line["charge_id"],
        )
        found["lines"] = _lines_in_window(marts, line, found["commitments"])
    found["discounts"] = marts.rows(
        """
        select discounts.*
        from staging.stg_catalog__discounts as discounts
        where discounts.discount_id in (
            select discount_id from marts.line_discounts where rated_line_id = ?
        )
        order by discounts.discount_id
        """,
        line["rated_line_id"],
    )
    return {kind: rows for kind, rows in found.items() if rows}


def _prices(marts: Marts, line: Row) -> list[Row]:
    """The bands of the price row that rated the line; of one taken back, of what it corrects."""
    return marts.rows(
        """
        select
            prices.plan_id,
            prices.charge_id,
            prices.currency,
            prices.dimension_values,
            prices.valid_from_date,
            prices.customer_id,
            prices.contract_month,
            prices.up_to,
            prices.unit_price,
            prices.flat_fee,
            prices.package_size,
            prices.percent_fraction,
            prices.event_fee,
            prices.free_amount,
            prices.free_events,
            prices.recorded_at
        from marts.rated_lines as rated_lines
        inner join staging.stg_catalog__prices as prices
            on rated_lines.price_row_id = prices.price_row_id
        where
            rated_lines.rated_line_id = ?
            or (
                rated_lines.rated_line_id = ?
                and not exists (
                    select 1 from marts.rated_lines as own where own.rated_line_id = ?
                )
            )
        order by prices.up_to nulls last
        """,
        line["rated_line_id"],
        line["adjusts_rated_line_id"],
        line["rated_line_id"],
    )


def _quantities(marts: Marts, line: Row) -> list[Row]:
    """The changes of the charge's quantity that were known, up to the line's end."""
    return marts.rows(
        """
        select
            changes.changes_at_text as changes_at,
            changes.quantity,
            changes.is_withdrawn,
            changes.recorded_at
        from staging.stg_catalog__subscription_changes as changes
        where
            changes.subscription_id = ?
            and changes.charge_id = ?
            and changes.change = 'quantity'
            and changes.recorded_at < ?
            and changes.changes_at_text < ?
        order by changes.changes_at_text, changes.recorded_at
        """,
        line["subscription_id"],
        line["charge_id"],
        line["cutoff_at"],
        line["period_to"].date().isoformat(),
    )


def _limits(marts: Marts, line: Row) -> list[Row]:
    """The least and greatest amounts of the charge that were known, from when each is valid."""
    return marts.rows(
        """
        select
            limits.plan_id,
            limits.charge_id,
            limits.currency,
            limits.minimum,
            limits.maximum,
            limits.valid_from_date,
            limits.recorded_at
        from staging.stg_catalog__charge_limits as limits
        inner join marts.invoices as invoices
            on limits.plan_id = invoices.plan_id
        where
            invoices.invoice_id = ?
            and limits.charge_id = ?
            and limits.currency = ?
            and limits.recorded_at < ?
        order by limits.valid_from_date, limits.recorded_at
        """,
        line["adjusts_invoice_id"] or line["invoice_id"],
        line["charge_id"],
        line["currency"],
        line["cutoff_at"],
    )


def _lines_below(marts: Marts, line: Row) -> list[Row]:
    """The usage lines that a minimum tops up, of a correction with their own corrections."""
    return marts.rows(
        f"""
        select {LINE_COLUMNS}
        from marts.invoice_lines as lines
        left join marts.invoices as invoices
            on lines.invoice_id = invoices.invoice_id
        where
            (lines.adjusts_invoice_id = ? or lines.invoice_id = ?)
            and coalesce(lines.adjusts_invoice_id, lines.invoice_id) = ?
            and lines.charge_id = ?
            and lines.part_number = ?
            and lines.line_kind = 'usage'
            and lines.cutoff_at <= ?
        order by lines.cutoff_at, lines.line_number
        """,
        *[line["adjusts_invoice_id"] or line["invoice_id"]] * 3,
        line["charge_id"],
        line["part_number"],
        line["cutoff_at"],
    )


def _line_acted_on(marts: Marts, line: Row) -> list[Row]:
    """The line that an action credited, or called in question."""
    return marts.rows(
        f"""
        select {LINE_COLUMNS}
        from marts.invoice_lines as lines
        left join marts.invoices as invoices
            on lines.invoice_id = invoices.invoice_id
        where lines.line_id = ?
        """,
        line["adjusts_line_id"],
    )


def _billed_fee(marts: Marts, line: Row) -> list[Row]:
    """The lines that billed what a credit gives back."""
    return marts.rows(
        f"""
        select {LINE_COLUMNS}
        from marts.invoice_lines as lines
        left join marts.invoices as invoices
            on lines.invoice_id = invoices.invoice_id
        where
            lines.subscription_id = ?
            and lines.charge_id = ?
            and lines.line_kind = 'recurring'
            and lines.period_from <= ?
            and lines.period_to > ?
            and lines.cutoff_at < ?
            and lines.line_id <> ?
            and lines.adjusts_rated_line_id is null
        order by lines.cutoff_at, lines.line_number
        """,
        line["subscription_id"],
        line["charge_id"],
        line["period_from"],
        line["period_from"],
        line["cutoff_at"],
        line["line_id"],
    )


def _lines_in_window(marts: Marts, line: Row, commitments: list[Row]) -> list[Row]:
    """The lines that count towards a commitment: those of its window's invoices, as posted by then.

    The window is the `billed_days` that end with the line's own period.
    """
    named = {charge for row in commitments for charge in (row["charge_ids"] or "").split("|")}
    lines = marts.rows(
        f"""
        select {LINE_COLUMNS}, billed.period_from_date
        from marts.invoice_lines as lines
        left join marts.invoices as invoices
            on lines.invoice_id = invoices.invoice_id
        inner join marts.invoices as billed
            on coalesce(lines.adjusts_invoice_id, lines.invoice_id) = billed.invoice_id
        inner join marts.invoices as due
            on due.invoice_id = ?
        where
            lines.subscription_id = ?
            and lines.line_kind not in ('true_up', 'overage')
            and billed.period_to_date <= due.period_to_date
            and due.period_to_date - billed.period_from_date <= ?
            and lines.cutoff_at <= ?
        order by billed.period_from_date, lines.cutoff_at, lines.line_number
        """,
        line["adjusts_invoice_id"] or line["invoice_id"],
        line["subscription_id"],
        line["billed_days"],
        line["cutoff_at"],
    )
    return [row for row in lines if named == {""} or row["charge_id"] in named]

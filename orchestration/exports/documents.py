"""Final documents as the marts have them, each with its lines, steps, discounts and credits.

What may change after a document has closed is left out (what of it is in dispute now): a document
that is exported again is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from orchestration.errors import UserError
from orchestration.marts import Marts, Row

#: Documents that are read at once.
CHUNK = 1000
#: What a document is beside the columns that the ledger closed it with.
LATER_COLUMNS = ("status", "disputed_total")


@dataclass(frozen=True)
class Selection:
    """Which final documents: by number or invoice_id, or by the day of their cutoff.

    `from_day` counts, `to_day` no longer does; without any of them all are chosen.
    """

    invoices: tuple[str, ...] = ()
    from_day: date | None = None
    to_day: date | None = None

    @classmethod
    def of_cutoff(cls, day: date) -> Selection:
        """The documents that closed at the midnight (UTC) which begins `day`."""
        return cls(from_day=day, to_day=day + timedelta(days=1))


@dataclass
class Document:
    """One final document; `header` has its own columns, and time_zone and issued_date."""

    header: Row
    exponent: int
    lines: list[Row] = field(default_factory=list)
    credits: list[Row] = field(default_factory=list)
    #: As JSON holds it, once that was asked for.
    shown: Row | None = field(default=None, repr=False, compare=False)

    @property
    def invoice_id(self) -> str:
        return self.header["invoice_id"]

    @property
    def number(self) -> str:
        return self.header["invoice_number"]


def choose_documents(marts: Marts, selection: Selection) -> list[tuple[datetime, str]]:
    """(cutoff_at, invoice_id) of the final documents chosen, in the order of their numbers.

    Raises UserError where an invoice that is named is not there or not final.
    """
    conditions, parameters = ["status = 'final'"], []
    if selection.from_day:
        conditions.append("cutoff_at >= ?")
        parameters.append(datetime.combine(selection.from_day, datetime.min.time()))
    if selection.to_day:
        conditions.append("cutoff_at < ?")
        parameters.append(datetime.combine(selection.to_day, datetime.min.time()))
    if selection.invoices:
        marks = _marks(selection.invoices)
        conditions.append(f"(invoice_number in ({marks}) or invoice_id in ({marks}))")
        parameters += [*selection.invoices, *selection.invoices]
    chosen = marts.rows(
        "select cutoff_at, billing_entity, sequence_number, invoice_id, invoice_number"
        " from (select invoices.*, documents.sequence_number from marts.invoices as invoices"
        " inner join ledger.documents as documents on invoices.invoice_id = documents.invoice_id"
        f") as final_invoices where {' and '.join(conditions)}",
        *parameters,
    )
    found = {name for row in chosen for name in (row["invoice_id"], row["invoice_number"])}
    for name in selection.invoices:
        if name not in found:
            raise UserError(
                f"no final invoice {name} (a draft is not exported; tally invoice --customer ID"
                " lists those of a customer)"
            )
    chosen.sort(key=lambda row: (row["cutoff_at"], row["billing_entity"], row["sequence_number"]))
    return [(row["cutoff_at"], row["invoice_id"]) for row in chosen]


def read_documents(marts: Marts, invoice_ids: Sequence[str]) -> Iterator[list[Document]]:
    """The documents of these ids in their order, some at a time."""
    for place in range(0, len(invoice_ids), CHUNK):
        yield _read_chunk(marts, invoice_ids[place : place + CHUNK])


def local_date(instant: datetime, zone: str) -> date:
    """The day of an instant (UTC) in a time zone."""
    return instant.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()


def _read_chunk(marts: Marts, ids: Sequence[str]) -> list[Document]:
    marks = _marks(ids)
    headers = marts.rows(
        f"""
        select
            invoices.*,
            documents.content_hash,
            adjusted.invoice_number as adjusts_invoice_number
        from marts.invoices as invoices
        inner join ledger.documents as documents
            on invoices.invoice_id = documents.invoice_id
        left join ledger.documents as adjusted
            on invoices.adjusts_invoice_id = adjusted.invoice_id
        where invoices.invoice_id in ({marks})
        """,
        *ids,
    )
    zones = _read_zones(marts, headers)
    documents: dict[str, Document] = {}
    for header in headers:
        for column in LATER_COLUMNS:
            header.pop(column, None)
        zone = zones[header["invoice_id"]]
        header["time_zone"] = zone
        # A midnight in UTC may be the evening before.
        closed = local_date(header["cutoff_at"], zone)
        header["issued_date"] = max(header["invoice_date"], closed)
        documents[header["invoice_id"]] = Document(header, marts.exponent(header["currency"]))
    for line in _read_lines(marts, marks, ids):
        documents[line["invoice_id"]].lines.append(line)
    for credit in marts.rows(
        "select invoice_id, credit_number, grant_id, grant_name, credit_total, unit, unit_total"
        f" from marts.invoice_credits where invoice_id in ({marks})"
        " order by invoice_id, credit_number",
        *ids,
    ):
        documents[credit.pop("invoice_id")].credits.append(credit)
    return [documents[one] for one in ids]


def _read_lines(marts: Marts, marks: str, ids: Sequence[str]) -> list[Row]:
    """Lines in their order, with `steps` and `discounts`.

    A correction has none of either: they are those of the whole line, as rated again.
    """
    lines = marts.rows(
        f"""
        select lines.*, adjusted.invoice_number as adjusts_invoice_number
        from marts.invoice_lines as lines
        left join ledger.documents as adjusted
            on lines.adjusts_invoice_id = adjusted.invoice_id
        where lines.invoice_id in ({marks})
        order by lines.invoice_id, lines.line_number
        """,
        *ids,
    )
    details: dict[str, dict[str, list[Row]]] = {}
    for line in lines:
        line["steps"], line["discounts"] = [], []
        if line["adjusts_rated_line_id"] is None and line["rated_line_id"] is not None:
            details[line["rated_line_id"]] = line
    for name, table, columns, order in (
        ("steps", "rating_steps", STEP_COLUMNS, "step_number"),
        ("discounts", "line_discounts", DISCOUNT_COLUMNS, "discount_number"),
    ):
        shown = ", ".join(f"details.{column}" for column in columns)
        for row in marts.rows(
            f"""
            select details.rated_line_id, {shown}
            from marts.{table} as details
            inner join marts.invoice_lines as lines
                on details.rated_line_id = lines.rated_line_id
            where lines.invoice_id in ({marks}) and lines.adjusts_rated_line_id is null
            order by details.rated_line_id, details.{order}
            """,
            *ids,
        ):
            details[row.pop("rated_line_id")][name].append(row)
    return lines


STEP_COLUMNS = (
    "step_number",
    "step_kind",
    "pricing_model",
    "tier_from",
    "tier_to",
    "units",
    "rate",
    "fixed_amount",
    "billed_days",
    "full_days",
    "amount",
)
DISCOUNT_COLUMNS = (
    "discount_number",
    "discount_id",
    "name",
    "level",
    "percent_fraction",
    "discount_total",
)


def _read_zones(marts: Marts, headers: Sequence[Row]) -> dict[str, str]:
    """The time zone of each document: of its period, else of the last one begun at its cutoff."""
    subscriptions = sorted({header["subscription_id"] for header in headers})
    periods: dict[str, list[Row]] = {}
    for row in marts.rows(
        "select subscription_id, period_number, period_from, time_zone"
        " from subscriptions.int_subscriptions__periods"
        f" where subscription_id in ({_marks(subscriptions)})"
        " order by subscription_id, period_number",
        *subscriptions,
    ):
        periods.setdefault(row["subscription_id"], []).append(row)
    return {
        header["invoice_id"]: _zone(header, periods.get(header["subscription_id"], []))
        for header in headers
    }


def _zone(header: Row, periods: Sequence[Row]) -> str:
    zone = "UTC"
    # The opening document, number 0, is dated in the zone of the first period.
    number = header["period_number"]
    for period in periods:
        if number is not None and period["period_number"] > max(number, 1):
            break
        if number is None and period["period_from"] > header["cutoff_at"]:
            break
        zone = period["time_zone"]
    return zone


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))

"""What a document's page says, as texts in their places; HTML and PDF only lay it out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby

from orchestration.exports.billing_entities import BillingEntity
from orchestration.exports.documents import Document, local_date
from orchestration.exports.line_details import Detail, line_details
from orchestration.exports.number_format import NumberFormat, choose_locale
from orchestration.invoice_view import KINDS
from orchestration.marts import Row

#: What a document is called; one that is about another says so below.
TITLES = {
    "invoice": "Invoice",
    "adjustment": "Corrections",
    "credit_note": "Credit note",
    "void": "Void",
    "reissue": "Invoice, reissued",
    "credit": "Credit",
    "dispute": "Dispute",
    "resolve": "End of dispute",
    "refund": "Refund",
}


@dataclass
class PageLine:
    """A line of the table, with what it is made of below it."""

    text: str
    note: str
    quantity: str
    price: str
    amount: str
    details: list[Detail] = field(default_factory=list)


@dataclass
class PageGroup:
    """Lines of one charge; `title` is blank where the only line's own text says it."""

    title: str
    note: str
    lines: list[PageLine]


@dataclass
class Page:
    """All of a page. `totals` are (label, amount, weight), the heaviest is what is due."""

    title: str
    number: str
    about: str
    entity: BillingEntity
    customer: str
    customer_id: str
    facts: list[tuple[str, str]]
    groups: list[PageGroup]
    corrections: list[PageGroup]
    totals: list[tuple[str, str, str]]
    due: str
    due_on: str
    currency: str


def make_page(document: Document, entity: BillingEntity) -> Page:
    """The page of a document that a billing entity sends."""
    header = document.header
    locale = entity.locale or choose_locale(header["time_zone"])
    shown = NumberFormat(locale, header["currency"], document.exponent)
    own = [line for line in document.lines if not _is_correction(line, header)]
    others = [line for line in document.lines if _is_correction(line, header)]
    is_due = header["amount_due_total"] > 0
    terms_end = due_date(header["issued_date"], entity.terms_days)
    return Page(
        title=TITLES[header["document_kind"]],
        number=document.number,
        about=_about(header),
        entity=entity,
        customer=header["customer_name"] or header["customer_id"],
        customer_id=header["customer_id"],
        facts=list(_facts(header, shown)),
        groups=_groups(own, header, shown),
        corrections=_groups(others, header, shown),
        totals=list(_totals(document, shown)),
        due=shown.money(header["amount_due_total"]),
        due_on=shown.day(terms_end) if is_due else "",
        currency=header["currency"],
    )


def due_date(issued: date, terms_days: int) -> date:
    """The day by which what was issued on a day is to be paid."""
    return issued + timedelta(days=terms_days)


def describe_days(first: date, last: date, shown: NumberFormat) -> str:
    """A stretch of days with its last one."""
    return shown.day(first) if first >= last else f"{shown.day(first)} \u2013 {shown.day(last)}"


def _is_correction(line: Row, header: Row) -> bool:
    # The document of an action is about one invoice as a whole, and says which above.
    return bool(line["adjusts_invoice_id"]) and not header["action_id"]


def _about(header: Row) -> str:
    if not header["action_id"]:
        return ""
    about = f"Invoice {header['adjusts_invoice_number'] or header['adjusts_invoice_id']}"
    return f"{about}: {header['action_reason']}" if header["action_reason"] else about


def _facts(header: Row, shown: NumberFormat) -> Iterator[tuple[str, str]]:
    yield "Date", shown.day(header["invoice_date"])
    if header["issued_date"] != header["invoice_date"]:
        yield "Issued", shown.day(header["issued_date"])
    last = header["period_to_date"] - timedelta(days=1)
    if header["period_number"] is not None:
        yield "Period", describe_days(header["period_from_date"], last, shown)
    yield "Time zone", header["time_zone"].replace("_", " ")
    yield "Subscription", header["subscription_id"]
    yield "Plan", header["plan_id"]
    yield "Currency", header["currency"]


def _groups(lines: Sequence[Row], header: Row, shown: NumberFormat) -> list[PageGroup]:
    """The lines, those of one charge (of one corrected invoice) together."""

    def charge(line: Row) -> tuple[str, str]:
        return line["adjusts_invoice_id"] or "", line["charge_id"]

    return [_group(list(members), header, shown) for _, members in groupby(lines, charge)]


def _group(lines: Sequence[Row], header: Row, shown: NumberFormat) -> PageGroup:
    name = str(lines[0]["name"] or lines[0]["charge_id"])
    mark = ""
    if _is_correction(lines[0], header):
        mark = f"corrects {lines[0]['adjusts_invoice_number'] or lines[0]['adjusts_invoice_id']}"
    if len(lines) == 1:
        return PageGroup("", "", [_page_line(lines[0], header, shown, name, mark)])
    spans = [_span(line, header, shown) for line in lines]
    # What all have in common is said once.
    common = spans[0] if len(set(spans)) == 1 else ""
    rows = [
        _page_line(line, header, shown, "", "" if common else span)
        for line, span in zip(lines, spans, strict=True)
    ]
    return PageGroup(name, ", ".join(text for text in (common, mark) if text), rows)


def _page_line(line: Row, header: Row, shown: NumberFormat, name: str, mark: str) -> PageLine:
    """A line under its own name, or of a group (`name` is blank); `mark` is said of it too."""
    kind = KINDS.get(line["line_kind"], "")
    values = _dimension_text(line["dimension_values"])
    if name:
        text = f"{name}: {kind}" if kind else name
        notes = [values, _span(line, header, shown), mark]
    else:
        text = kind[:1].upper() + kind[1:] or values or "Other usage"
        notes = [values if kind else "", mark]
    quantity, price, details = line_details(line, shown)
    # Discounts of the whole invoice stand below the table, not on each line.
    off_below = sum((one["discount_total"] for one in invoice_discounts(line)), Decimal(0))
    return PageLine(
        text=text,
        note=", ".join(note for note in notes if note),
        quantity=quantity,
        price=price,
        amount=shown.money(line["line_total"] + off_below),
        details=details,
    )


def invoice_discounts(line: Row) -> list[Row]:
    """Those of the line's discounts that were spread over several lines."""
    return [one for one in line["discounts"] if one["level"] != "line"]


def _dimension_text(values: str | None) -> str:
    """`model=large|region=eu` for people."""
    from urllib.parse import unquote

    parts = [part.partition("=")[2] for part in (values or "").split("|") if part]
    return ", ".join(unquote(part) for part in parts)


def _span(line: Row, header: Row, shown: NumberFormat) -> str:
    """The local days of a line that are not simply those of the document's period."""
    if (line["period_from"], line["period_to"]) == (header["period_from"], header["period_to"]):
        return ""
    zone = header["time_zone"]
    first = local_date(line["period_from"], zone)
    last = local_date(line["period_to"] - timedelta(microseconds=1), zone)
    return describe_days(first, last, shown)


def _totals(document: Document, shown: NumberFormat) -> Iterator[tuple[str, str, str]]:
    header = document.header
    taken: dict[str, Decimal] = {}
    for line in document.lines:
        for one in invoice_discounts(line):
            name = str(one["name"] or one["discount_id"])
            if one["percent_fraction"] is not None:
                name += f" ({shown.percent(one['percent_fraction'])})"
            taken[name] = taken.get(name, Decimal(0)) + one["discount_total"]
    total = header["invoice_total"]
    if taken:
        yield "Subtotal", shown.money(total + sum(taken.values())), "light"
        for name, off in taken.items():
            yield name, shown.money(-off), "light"
    yield "Total, before tax", shown.money(total), "plain"
    for credit in document.credits:
        given_back = credit["credit_total"] < 0
        yield (
            f"Credit{' given back' if given_back else ''}:"
            f" {credit['grant_name'] or credit['grant_id']}{_units(credit, shown)}",
            shown.money(-credit["credit_total"]),
            "light",
        )
    if header["balance_applied_total"]:
        yield "From your balance", shown.money(-header["balance_applied_total"]), "light"
    if total < 0:
        yield "To your balance", shown.money(-total), "light"
    yield "Amount due", shown.money(header["amount_due_total"]), "due"


def _units(credit: Row, shown: NumberFormat) -> str:
    """How many of its unit of credit a grant covers."""
    if not credit["unit"]:
        return ""
    return f" ({shown.of_unit(credit['unit']).money(credit['unit_total'])})"

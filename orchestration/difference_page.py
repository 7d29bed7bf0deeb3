"""A simulation as one page that stands alone: totals, pictures, tables; nothing is fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path

from orchestration.difference_charts import count_moves, draw_histogram, draw_movers, draw_plans
from orchestration.difference_report import Simulation, is_change, percent_text
from orchestration.differences import (
    Difference,
    by_currency,
    by_customer,
    by_meter,
    by_plan,
    sum_by,
)
from orchestration.marts import grouped

#: Customers in the picture of movers, and rows in the long table of a currency.
MOVERS = 12
ROWS = 50

STYLE = """
:root { --ink: #1c2430; --soft: #5b6675; --rule: #d9dee5; --paper: #ffffff; --wash: #f5f7f9;
        --before: #a9b4c2; --after: #2b5fa8; --more: #1f7a5c; --less: #b4472f; --same: #a9b4c2; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--wash); color: var(--ink);
       font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 40px 32px 64px; background: var(--paper); }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 20px; margin: 48px 0 12px; padding-top: 20px; border-top: 2px solid var(--ink); }
h3 { font-size: 14px; margin: 0 0 10px; }
p { margin: 0 0 10px; max-width: 75ch; }
a { color: var(--after); }
.lead { color: var(--soft); font-size: 16px; }
.note { border-left: 3px solid #c58a1c; background: #fdf7ea; padding: 8px 12px; }
code { font: 13px/1.4 ui-monospace, "SF Mono", Menlo, Consolas, monospace;
       overflow-wrap: anywhere; }
dl.facts { display: flex; flex-wrap: wrap; gap: 8px 40px; margin: 20px 0 24px; }
dt { color: var(--soft); font-size: 12.5px; }
dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
dl.figures { display: flex; flex-wrap: wrap; gap: 8px 56px; margin: 0 0 6px; }
dl.figures dd { font-size: 24px; letter-spacing: -0.01em; }
.more { color: var(--more); } .less { color: var(--less); }
.pictures { display: grid; grid-template-columns: 1fr 1fr; gap: 32px 44px; margin: 24px 0 32px; }
figure { margin: 0 0 28px; break-inside: avoid; }
figcaption { font-size: 14px; font-weight: 600; margin-bottom: 10px; }
figcaption span { font-weight: 400; color: var(--soft); }
svg { display: block; width: 100%; max-width: 560px; height: auto; }
svg text { font-size: 12.5px; fill: var(--ink); }
svg .value { font-variant-numeric: tabular-nums; }
svg .tick { fill: var(--soft); font-size: 11.5px; }
svg .end { text-anchor: end; } svg .middle { text-anchor: middle; }
svg .axis { stroke: var(--soft); stroke-width: 1; }
svg rect.before { fill: var(--before); } svg rect.after { fill: var(--after); }
svg rect.more { fill: var(--more); } svg rect.less { fill: var(--less); }
svg rect.same { fill: var(--same); }
.key i { display: inline-block; width: 11px; height: 11px; border-radius: 2px;
         margin: 0 4px 0 12px; }
.tables { display: grid; grid-template-columns: 1fr 1fr; gap: 32px 44px; margin-bottom: 32px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
caption { text-align: left; font-weight: 600; font-size: 14px; padding-bottom: 6px; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 12.5px;
     border-bottom: 1px solid var(--ink); padding: 4px 10px 4px 0; }
td { border-bottom: 1px solid var(--rule); padding: 4px 10px 4px 0; vertical-align: top; }
th[scope=row] { color: var(--ink); font-weight: 400; font-size: 13.5px;
                border-bottom: 1px solid var(--rule); vertical-align: top; }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.n:last-child { padding-right: 0; }
.quiet, .quiet th[scope=row] { color: var(--soft); }
tbody tr { break-inside: avoid; } thead { display: table-header-group; }
footer { margin-top: 48px; padding-top: 12px; border-top: 1px solid var(--rule);
         color: var(--soft); font-size: 12.5px; }
@media screen and (max-width: 820px) { .pictures, .tables { grid-template-columns: 1fr; }
                            main { padding: 24px 18px 40px; } .scroll { overflow-x: auto; } }
@media print { body { background: none; font-size: 12px; } main { max-width: none; padding: 0; }
               * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
               h2 { break-after: avoid; } @page { margin: 16mm; } }
"""

Named = tuple[str, Callable[[Difference], str]]


def write_page(simulation: Simulation, file: Path) -> None:
    """Write the page. Raises OSError."""
    file.write_text(render_page(simulation), encoding="utf-8")


def render_page(simulation: Simulation) -> str:
    """The page as HTML; whatever comes from data is escaped."""
    changed = [one.currency for one in simulation.changed]
    totals = simulation.sums(by_currency)
    period = f"{simulation.from_day} to before {simulation.to_day}"
    customers = simulation.sums(by_customer)
    facts = {
        "Periods that begin": period,
        "As known at the end of": str(simulation.as_of_day),
        "Customers compared": grouped(len({one.customer_id for one in customers})),
        "Whose total differs": grouped(
            len({one.customer_id for one in customers if one.difference})
        ),
    }
    body = [
        "<h1>Billing under another catalogue</h1>",
        '<p class="lead">What customers were billed, and what the same usage would have cost them '
        f"under <code>{escape(simulation.catalog)}</code>. Nothing was changed or sent.</p>",
        f'<dl class="facts">{_terms(facts)}</dl>',
        *(f'<p class="note">{escape(remark)}</p>' for remark in simulation.remarks()),
        _table(
            simulation, "Totals, one currency a row",
            [("Currency", lambda one: one.currency)], totals, links=changed,
        ),
    ]  # fmt: skip
    if not changed:
        body.append("<h2>No difference</h2><p>Every line comes to the same amount.</p>")
    for total in totals:
        if total.currency in changed:
            body += _currency(simulation, total)
    body.append(
        "<footer><p>A line counts with its own period, wherever it is invoiced: a fee in advance "
        "with the period that it is for, a correction with the period that it corrects. Its plan "
        "is the one that the subscription was on when that period began. Drafts count as they "
        "stand. Amounts are before tax and of one currency each; nothing is converted.</p>"
        "</footer>"
    )
    title = f"Billing under another catalogue, {period}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def _currency(simulation: Simulation, total: Difference) -> Iterable[str]:
    """The part of the page on one currency."""
    currency = total.currency

    def of(rows: Iterable[Difference]) -> list[Difference]:
        return [one for one in rows if one.currency == currency]

    customers = of(simulation.sums(by_customer))
    plans, meters = of(simulation.sums(by_plan)), of(simulation.sums(by_meter))
    movers = [one for one in customers if one.difference][:MOVERS]
    rows = of(simulation.changed)
    figures = {
        "Before": escape(simulation.amount(total.before, currency) or "none"),
        "After": escape(simulation.amount(total.after, currency) or "none"),
        "Difference": _difference(simulation, total, with_percent=True),
    }
    more = sum(one.difference > 0 for one in customers)
    less = sum(one.difference < 0 for one in customers)
    same = len(customers) - more - less
    key = (
        '<span class="key"><i style="background: var(--before)"></i>before'
        '<i style="background: var(--after)"></i>after</span>'
    )
    yield f'<h2 id="{escape(currency)}">{escape(currency)}</h2>'
    yield (
        '<dl class="figures">'
        + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures.items())
        + "</dl>"
    )
    yield (
        f"<p>{_people(more)} would pay more, {grouped(less)} less, {grouped(same)} the same.</p>"
    )
    yield '<div class="pictures"><div>'
    yield _figure(f"By plan {key}", draw_plans(simulation, plans, currency))
    yield _figure(
        "Customers by change of their total <span>(percent)</span>",
        draw_histogram(count_moves(customers), currency),
    )
    yield "</div><div>"
    if movers:
        shown = f" <span>({len(movers)} of {more + less} customers)</span>"
        yield _figure(f"Biggest movers{shown}", draw_movers(simulation, movers, currency))
    yield "</div></div>"
    yield '<div class="tables">'
    yield _table(
        simulation, "By plan", [("Plan", lambda one: one.plan_id)], plans, unchanged="plans"
    )
    yield _table(
        simulation, "By meter", [("Meter", lambda one: one.meter)], meters, unchanged="meters"
    )
    yield "</div>"
    caption = "What differs, by customer, plan and meter"
    if len(rows) > ROWS:
        caption += f" (the biggest {ROWS} of {grouped(len(rows))}; the CSV has all)"
    names: list[Named] = [
        ("Customer", lambda one: simulation.title(one.customer_id)),
        ("Plan", lambda one: one.plan_id),
        ("Meter", lambda one: one.meter),
    ]
    yield _table(simulation, caption, names, rows[:ROWS])


def _people(count: int) -> str:
    return f"{grouped(count)} customer{'' if count == 1 else 's'}"


def _figure(caption: str, picture: str) -> str:
    return f"<figure><figcaption>{caption}</figcaption>{picture}</figure>"


def _terms(facts: dict[str, str]) -> str:
    return "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in facts.items()
    )


def _difference(simulation: Simulation, one: Difference, with_percent: bool = False) -> str:
    if not one.difference:
        return '<span class="quiet">0</span>' if with_percent else ""
    kind = "more" if one.difference > 0 else "less"
    text = simulation.signed(one.difference, one.currency)
    if with_percent and percent_text(one):
        text += f" ({percent_text(one)})"
    return f'<span class="{kind}">{escape(text)}</span>'


def _table(
    simulation: Simulation,
    caption: str,
    names: Sequence[Named],
    rows: Sequence[Difference],
    links: Sequence[str] = (),
    unchanged: str = "",
) -> str:
    """A table of differences; the first columns say of what. `links` have parts of their own.

    With `unchanged`, what those rows are, rows without a difference are one together.
    """
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name, _ in names)
    heads += "".join(
        f'<th scope="col" class="n">{name}</th>' for name in ("Before", "After", "Difference", "%")
    )
    same = [one for one in rows if not is_change(one)] if unchanged else []
    lines = []
    for one in rows:
        if one in same:
            continue
        (_, first), *others = names
        head = escape(first(one))
        if first(one) in links:
            head = f'<a href="#{head}">{head}</a>'
        cells = [f'<th scope="row">{head}</th>']
        cells += [f"<td>{escape(text(one))}</td>" for _, text in others]
        amounts = (
            escape(simulation.amount(one.before, one.currency)),
            escape(simulation.amount(one.after, one.currency)),
            _difference(simulation, one),
            escape(percent_text(one)) if one.difference else "",
        )
        cells += [f'<td class="n">{text}</td>' for text in amounts]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    for one in sum_by(same, by_currency):
        text = escape(simulation.amount(one.before, one.currency))
        lines.append(
            f'<tr class="quiet"><th scope="row">{len(same)} {unchanged} without a difference</th>'
            f'<td class="n">{text}</td><td class="n">{text}</td><td></td><td></td></tr>'
        )
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption><thead><tr>{heads}</tr>'
        f"</thead><tbody>{''.join(lines)}</tbody></table></div>"
    )

"""Pictures of differences as inline SVG: bars before and after, movers, how many move how far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape

from orchestration.difference_report import Simulation, percent_text
from orchestration.differences import Difference

WIDTH = 560
LABEL_WIDTH = 170
VALUE_WIDTH = 96
LONGEST_LABEL = 26
#: Upper ends of the histogram's bins in percent, and their labels; zero is a bin of its own.
BINS = (
    (Decimal(-50), "-50 %", "and less"), (Decimal(-20), "-50", "to -20"),
    (Decimal(-5), "-20", "to -5"), (Decimal(0), "-5", "to 0"), (None, "the", "same"),
    (Decimal(5), "0", "to +5"), (Decimal(20), "+5", "to +20"), (Decimal(50), "+20", "to +50"),
    (None, "+50 %", "and more"),
)  # fmt: skip
SAME, LAST = 4, 8


def draw_plans(simulation: Simulation, plans: Sequence[Difference], currency: str) -> str:
    """Two bars a plan: as billed, and under the other catalogue."""
    highest = max((max(one.before or 0, one.after or 0, 0) for one in plans), default=0)
    row, parts = 50, []
    room = WIDTH - LABEL_WIDTH - VALUE_WIDTH
    for place, one in enumerate(plans):
        top = place * row + 6
        parts.append(_label(one.plan_id or "(no plan)", top + 22))
        sides = (("before", one.before, top), ("after", one.after, top + 19))
        for kind, amount, y in sides:
            length = _length(amount, highest, room)
            parts.append(_bar(kind, LABEL_WIDTH, y, length, 16))
            text = simulation.amount(amount, currency) or "none"
            parts.append(_text("value", LABEL_WIDTH + length + 6, y + 12, text))
    return _svg(
        parts, len(plans) * row + 8, f"Billed by plan in {currency}, before and after",
        _told(simulation, ((one.plan_id, one) for one in plans)),
    )  # fmt: skip


def draw_movers(simulation: Simulation, movers: Sequence[Difference], currency: str) -> str:
    """A bar a customer, to the left for less, to the right for more."""
    lowest = -min((one.difference for one in movers if one.difference < 0), default=Decimal(0))
    highest = max((one.difference for one in movers if one.difference > 0), default=Decimal(0))
    # Values stand at the ends of their bars, so that each side that has bars needs room for them.
    room = WIDTH - LABEL_WIDTH - VALUE_WIDTH * (bool(lowest) + bool(highest))
    reach = lowest + highest
    zero = LABEL_WIDTH + (VALUE_WIDTH + _length(lowest, reach, room) if lowest else 0)
    row, parts = 28, []
    for place, one in enumerate(movers):
        top = place * row + 4
        length = _length(abs(one.difference), reach, room)
        parts.append(_label(simulation.names.get(one.customer_id) or one.customer_id, top + 14))
        text = simulation.signed(one.difference, currency)
        if one.difference < 0:
            parts.append(_bar("less", zero - length, top, length, 18))
            parts.append(_text("value end", zero - length - 6, top + 13, text))
        else:
            parts.append(_bar("more", zero, top, length, 18))
            parts.append(_text("value", zero + length + 6, top + 13, text))
    height = len(movers) * row + 4
    parts.append(f'<line class="axis" x1="{zero}" y1="0" x2="{zero}" y2="{height}"/>')
    return _svg(
        parts, height, f"Customers whose total in {currency} moves most",
        _told(simulation, ((simulation.title(one.customer_id), one) for one in movers)),
    )  # fmt: skip


def count_moves(customers: Iterable[Difference]) -> list[int]:
    """How many customers fall into each of BINS, by percent of what they were billed before."""
    counts = [0] * len(BINS)
    for one in customers:
        if not one.difference:
            counts[SAME] += 1
            continue
        share = 100 * one.difference / one.before if one.before and one.before > 0 else None
        if share is None:
            # From nothing, or from a credit: as far as can be.
            counts[LAST if one.difference > 0 else 0] += 1
        elif share < 0:
            counts[next(n for n in range(SAME) if share <= BINS[n][0] or n == SAME - 1)] += 1
        else:
            ends = ((n, BINS[n][0]) for n in range(SAME + 1, LAST))
            counts[next((n for n, end in ends if end is not None and share < end), LAST)] += 1
    return counts


def draw_histogram(counts: Sequence[int], currency: str) -> str:
    """A column a bin."""
    highest = max(counts)
    height, column = 150, WIDTH / len(counts)
    parts = []
    for place, count in enumerate(counts):
        kind = "less" if place < SAME else "same" if place == SAME else "more"
        length = round(height * count / highest) if highest else 0
        left = place * column
        parts.append(_bar(kind, left + 5, 20 + height - length, column - 10, length))
        middle = left + column / 2
        parts.append(_text("value middle", middle, 14 + height - length, f"{count:,}"))
        for line, word in enumerate(BINS[place][1:]):
            parts.append(_text("tick middle", middle, 37 + height + 13 * line, word))
    parts.append(f'<line class="axis" x1="0" y1="{20 + height}" x2="{WIDTH}" y2="{20 + height}"/>')
    told = "; ".join(
        f"{label} {more}: {count}" for (_, label, more), count in zip(BINS, counts, strict=True)
    )
    return _svg(
        parts, height + 58, f"Customers by how far their total in {currency} moves, percent", told
    )


def _length(amount: Decimal | None, highest: Decimal | int, room: int) -> int:
    """The length of a bar; one of something is never too short to be seen."""
    if not amount or amount < 0 or not highest:
        return 0
    return max(1, round(room * amount / highest))


def _label(text: str, y: float) -> str:
    short = text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"
    return _text("label", 0, y, short)


def _text(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(text)}</text>'


def _bar(kind: str, x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="2"/>'
    )


def _told(simulation: Simulation, rows: Iterable[tuple[str, Difference]]) -> str:
    """The picture in words."""
    return "; ".join(
        f"{name}: {simulation.amount(one.before, one.currency) or 'none'} before,"
        f" {simulation.amount(one.after, one.currency) or 'none'} after {percent_text(one)}".strip()
        for name, one in rows
    )


def _svg(parts: Iterable[str], height: float, title: str, told: str) -> str:
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {height:g}" preserveAspectRatio="xMinYMin meet">'
        f"<title>{escape(title)}</title><desc>{escape(told)}</desc>{''.join(parts)}</svg>"
    )

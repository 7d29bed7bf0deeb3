"""The usage of the demo's customers: one gzipped NDJSON file a load day.

Most events are loaded on the day they happen. Some come twice, some late, some broken; what is
odd is drawn from the same seed, so that its number is the same on every machine.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from orchestration.demo import FIRST_DAY, LAST_DAY, SEED, Customer, Subscription, make_customers

DAYS = [FIRST_DAY + timedelta(n) for n in range((LAST_DAY - FIRST_DAY).days + 1)]
LOADED_TIME = time(23, 55)
MAIN_EVENTS = 408_000
WEEKEND_FACTOR = 0.45
GROWTH_A_DAY = 0.004
SHARE_DUPLICATE = 0.01
SHARE_LATE = 0.02
POOL = 8192
MODELS = ("atlas-large",) * 3 + ("atlas-mini",) * 5 + ("atlas-code",) * 2
REGIONS = ("us",) * 5 + ("eu",) * 4 + ("ap",)
STATUSES = (200,) * 94 + (400, 429, 429, 500, 503, 529)
GAUGED_PLANS = ("starter", "pro", "usage_only", "enterprise")
# Lines that no reader can take, or that hold what an event may not.
BROKEN_LINES = (
    '{"customer_id":"cus_0003","event_name":"completion","occurred_at":"%sT10:',
    '{"event_name":"completion","occurred_at":"%sT10:00:00Z","properties":{}}',
    '{"customer_id":"cus_0004","occurred_at":"%sT10:00:00Z","properties":{}}',
    '{"customer_id":"cus_0005","event_name":"completion","occurred_at":"%s at noon"}',
    '{"customer_id":"cus_0006","event_name":"completion","occurred_at":"%sT10:00:00Z",'
    '"properties":{"usage":{"input_tokens":NaN}}}',
    '{"customer_id":"cus_0007","event_name":"completion","occurred_at":"%sT10:00:00Z",'
    '"properties":{"model":"atlas-mini","model":"atlas-large"}}',
    '{"customer_id":"cus_0008","event_name":"completion","occurred_at":"%sT25:00:00Z"}',
    '{"customer_id":"cus_0009","event_name":"image","occurred_at":"%sT10:00:00Z",'
    '"properties":"four images"}',
)


def loaded_at(day: date) -> datetime:
    """When the file of a load day is landed (UTC)."""
    return datetime.combine(day, LOADED_TIME, UTC)


def write_usage(directory: Path) -> list[tuple[Path, datetime]]:
    """Write the files into `directory`; returns each with the time at which it is landed."""
    directory.mkdir(parents=True, exist_ok=True)
    usage = _Usage(make_customers())
    written = []
    for number, day in enumerate(DAYS):
        path = directory / f"usage-{day.isoformat()}.ndjson.gz"
        content = "".join(usage.lines_of_day(number)).encode()
        # No time of writing in the file, so that its bytes are the same each time.
        path.write_bytes(gzip.compress(content, compresslevel=1, mtime=0))
        written.append((path, loaded_at(day)))
    return written


class _Usage:
    """Draws the usage day by day; lines that arrive later wait in `waiting`."""

    def __init__(self, customers: list[Customer]) -> None:
        self.random = random.Random(SEED + 1).random
        self.customers = customers
        self.waiting: list[list[str]] = [[] for _ in DAYS]
        self.event_number = 0
        self.storage = {customer.customer_id: 5 + 4000 * customer.weight for customer in customers}
        self.inputs = self._pool(lambda: int(12_000 / (self.random() + 0.004) ** 0.9))
        self.outputs = self._pool(lambda: int(3_000 / (self.random() + 0.006) ** 0.9))
        self.minutes = self._pool(self._minute)
        total = sum(customer.weight for customer in customers)
        self.events_a_day = {
            customer.customer_id: customer.weight / total * MAIN_EVENTS / len(DAYS) * 1.24
            for customer in customers
        }

    def _pool(self, draw: Callable[[], int]) -> list[int]:
        return [draw() for _ in range(POOL)]

    def _minute(self) -> int:
        """A minute of the day: most of them between 8 and 20 o'clock."""
        if self.random() < 0.75:
            return 480 + int(self.random() * 720)
        return int(self.random() * 1440)

    def lines_of_day(self, number: int) -> list[str]:
        """All lines of the file of day `number`."""
        day = DAYS[number]
        self.number = number
        self.lines = self.waiting[number]
        clocks = [f"{day}T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440)]
        tokyo_days = (day, day + timedelta(1))
        tokyo_clocks = [
            f"{tokyo_days[minute >= 900]}T{(minute // 60 + 9) % 24:02d}:{minute % 60:02d}:"
            for minute in range(1440)
        ]
        pace = (WEEKEND_FACTOR if day.weekday() >= 5 else 1) * (1 + GROWTH_A_DAY * number)
        for index, customer in enumerate(self.customers):
            is_tokyo = customer.time_zone == "Asia/Tokyo"
            self.clocks = tokyo_clocks if is_tokyo else clocks
            self.zone = "+09:00" if is_tokyo else "Z"
            for subscription in customer.subscriptions:
                if subscription.first_day <= day <= subscription.last_day:
                    self._draw_day(index, customer, subscription, pace)
        self.clocks, self.zone = clocks, "Z"
        self._draw_odd(day)
        return self.lines

    def _draw_day(
        self, index: int, customer: Customer, subscription: Subscription, pace: float
    ) -> None:
        draw = self.random
        plan = subscription.plan_id
        if plan == "vector_30":
            vectors = int(200_000 * (1 + 40 * customer.weight) * (1 + self.number / 60))
            for _ in range(4):
                self._add(
                    customer,
                    "index_size",
                    f'{{"vectors":{vectors},"latency_ms":{20 + 40 * draw():.3f},'
                    f'"free_gigabytes":{10 + 30 * draw():.2f}}}',
                )
            return
        expected = self.events_a_day[customer.customer_id] * pace * (0.7 + 0.6 * draw())
        if subscription.subscription_id.endswith("_studio"):
            expected = 3.0
        events = int(expected) + (draw() < expected % 1)
        if plan.startswith("marketplace"):
            self._draw_sales(customer, events)
            return
        if plan == "studio_weekly":
            several = len(customer.subscriptions) > 1
            name = subscription.subscription_id if several else ""
            for _ in range(events):
                # Now and then such a customer forgets to say which subscription it was for.
                self._draw_image(customer, name if draw() < 0.97 else "")
            return
        self._draw_completions(index, customer, events)
        if plan in GAUGED_PLANS:
            self._draw_gauges(index, customer, subscription)

    def _draw_completions(self, index: int, customer: Customer, events: int) -> None:
        """Completions and the few images, transcriptions and trainings beside them."""
        draw = self.random
        users = 3 + int(600 * customer.weight)
        numbers_as_text = index % 23 == 7
        several = customer.subscriptions[0].subscription_id if index in (96, 120, 150) else ""
        has_training = customer.subscriptions[0].plan_id in ("enterprise", "usage_only")
        for _ in range(events):
            kind = draw()
            if kind < 0.93:
                tokens = self.inputs[int(draw() * POOL)]
                shown = f'"{tokens}"' if numbers_as_text else tokens
                test = ',"test":true' if kind < 0.004 else ""
                self._add(
                    customer,
                    "completion",
                    f'{{"model":"{MODELS[int(draw() * 10)]}",'
                    f'"region":"{REGIONS[int(draw() * 10)]}","usage":{{"input_tokens":{shown},'
                    f'"output_tokens":{self.outputs[int(draw() * POOL)]}}},'
                    f'"user_id":"u{int(draw() ** 2 * users)}",'
                    f'"http.status":{STATUSES[int(draw() * 100)]}{test}}}',
                )
            elif kind < 0.97:
                self._draw_image(customer, several)
            elif kind < 0.995 or not has_training:
                self._add(
                    customer,
                    "transcription",
                    f'{{"audio":{{"seconds":{5 + 1200 * draw() ** 3:.2f},"language":"en"}}}}',
                )
            else:
                self._add(
                    customer,
                    "training",
                    f'{{"gpu_seconds":{600 + int(40_000 * draw() ** 2)},'
                    f'"gpu":"{("h100", "h200")[draw() < 0.3]}"}}',
                )

    def _draw_image(self, customer: Customer, subscription_id: str) -> None:
        draw = self.random
        outcome = "done" if draw() < 0.95 else ("partial", "failed")[draw() < 0.5]
        self._add(
            customer,
            "image",
            f'{{"images":{1 + int(8 * draw() ** 2)},"outcome":"{outcome}",'
            f'"resolution":"{("standard", "high")[draw() < 0.3]}"}}',
            subscription_id,
        )

    def _draw_gauges(self, index: int, customer: Customer, subscription: Subscription) -> None:
        """A storage reading a day, changes of seats, and for the biggest their concurrency."""
        draw = self.random
        held = self.storage[customer.customer_id] = max(
            0.5, self.storage[customer.customer_id] * (0.985 + 0.04 * draw())
        )
        self._add(customer, "storage_level", f'{{"gigabytes":{held:.3f}}}')
        if subscription.plan_id in ("pro", "enterprise"):
            is_first = DAYS[self.number] == subscription.first_day
            change = 4 + int(900 * customer.weight) if is_first else (draw() < 0.04)
            if change:
                self._add(customer, "seat_change", f'{{"seats":{int(change)}}}')
            if draw() < 0.01:
                severity = ("high", "low", "question", "critical")[int(draw() * 4)]
                self._add(customer, "support_ticket", f'{{"severity":"{severity}"}}')
        if subscription.plan_id == "enterprise":
            for _ in range(24):
                running = int(20 + (260 - 12 * index) * draw() ** 2)
                self._add(customer, "concurrency_sample", f'{{"running":{running}}}')

    def _draw_sales(self, customer: Customer, events: int) -> None:
        draw = self.random
        for _ in range(events):
            kind = draw()
            amount = f"{5 + 400 * draw() ** 3:.2f}"
            if kind < 0.85:
                refunded = ',"refunded":"2026"' if kind < 0.02 else ""
                category = ("digital", "physical", "service")[int(draw() * 3)]
                self._add(
                    customer, "sale", f'{{"amount":{amount},"category":"{category}"{refunded}}}'
                )
            elif kind < 0.95:
                self._add(customer, "partner_job", f'{{"price":{{"total":"{amount}","tax":"0"}}}}')
            else:
                self._add(customer, "payout", f'{{"amount":{amount}}}')

    def _add(
        self, customer: Customer, event: str, properties: str, subscription_id: str = ""
    ) -> None:
        """One event of today at a drawn minute; a few come late, or twice."""
        draw = self.random
        self.event_number += 1
        clock = self.clocks[self.minutes[int(draw() * POOL)]]
        named = f'"subscription_id":"{subscription_id}",' if subscription_id else ""
        line = (
            f'{{"event_key":"evt_{self.event_number:06x}","customer_id":"{customer.customer_id}",'
            f'"event_name":"{event}","occurred_at":"{clock}{int(draw() * 60_000) / 1000:06.3f}'
            f'{self.zone}",{named}"properties":{properties}}}\n'
        )
        fate = draw()
        if fate > SHARE_DUPLICATE + SHARE_LATE:
            self.lines.append(line)
        elif fate > SHARE_DUPLICATE:
            # One in twenty of the late ones is so late that its period is closed.
            self._wait(line, 1 + int(draw() * 5) if draw() < 0.95 else 20 + int(draw() * 30))
        else:
            self.lines.append(line)
            self._wait(line, int(draw() * 2) * (1 + int(draw() * 4)))

    def _wait(self, line: str, days: int) -> None:
        self.waiting[min(self.number + days, len(DAYS) - 1)].append(line)

    def _draw_odd(self, day: date) -> None:
        """What goes wrong on one day: broken lines, strangers, the future, voids, conflicts."""
        draw = self.random
        number = self.number
        for _ in range(2 + int(draw() * 3)):
            text = BROKEN_LINES[int(draw() * len(BROKEN_LINES))]
            self.lines.append(text.replace("%s", day.isoformat()) + "\n")
        stranger = Customer("cus_9999", "", "USD", "UTC", "", 0)
        for _ in range(3):
            self._add(stranger, "completion", '{"model":"atlas-mini","region":"us"}')
        largest = self.customers[int(draw() ** 2 * 40)]
        for _ in range(8):
            self._add(largest, "dashboard_view", '{"page":"/usage"}')
        for tokens in ('"1,200"', "1e400", "true", '"12 tokens"'):
            if draw() < 0.5:
                self._add(largest, "completion", f'{{"usage":{{"input_tokens":{tokens}}}}}')
        future = (day + timedelta(3)).isoformat()
        head = f'"customer_id":"{largest.customer_id}","event_name":"completion",'
        body = '"properties":{"model":"atlas-large","usage":{"input_tokens":900000}}}\n'
        self.lines.append(
            f'{{"event_key":"ahead_{number}",{head}"occurred_at":"{future}T00:00:00Z",{body}'
        )
        first = f'{{"event_key":"twin_{number}",{head}"occurred_at":"{day}T09:00:00Z",'
        self.lines.append(first + body)
        if number % 5 == 0:  # the same key with another content is a conflict
            self._wait(first + body.replace("900000", "800000"), 1)
        if number % 7 == 2:  # a void after its event
            self._wait(self._void(largest, f"twin_{number}", day), 2)
        if number % 15 == 4:  # a void that comes before its event
            self.lines.append(self._void(largest, f"early_{number}", day))
            self._wait(
                f'{{"event_key":"early_{number}",{head}"occurred_at":"{day}T11:00:00Z",{body}', 2
            )

    def _void(self, customer: Customer, key: str, day: date) -> str:
        return (
            f'{{"event_key":"void_{key}","customer_id":"{customer.customer_id}",'
            f'"voids_key":"{key}","occurred_at":"{day}T12:00:00Z"}}\n'
        )

"""Sends what is due: in order per endpoint and customer, at least once, with backoff.

The warehouse is open only to read what is due and to append what became of it: a receiver may be
slow, and a DuckDB file has one writer. An attempt that was made and not yet appended when the
process was killed is made again, with the same id.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestration.warehouse import Warehouse
from orchestration.webhooks.endpoints import Endpoint
from orchestration.webhooks.outbox import SCHEDULE, Attempt, DueEvent, Outbox
from orchestration.webhooks.sending import Answer, send

#: Events of a round, and of one customer in it.
BATCH = 500
PER_CUSTOMER = 50
WORKERS = 8
#: An endpoint that gives no answer so often in a row rests until the next delivery.
RESTS_AFTER = 16
#: How long a delivery begins further rounds, and a round further requests, in seconds.
LONGEST_DELIVERY = 240.0
LONGEST_ROUND = 30.0
#: What is due again within so many seconds is waited for.
PATIENCE = 6.0

Send = Callable[[Endpoint, Sequence[Any], str, str, datetime], Answer]


@dataclass
class Clock:
    """The time in UTC, and waiting; tests have their own."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep

    def stamp(self) -> datetime:
        """The instant as the warehouse has instants."""
        return self.now().astimezone(UTC).replace(tzinfo=None)


@dataclass
class Summary:
    """What a delivery came to; `waiting` and `dead_letters` are what there is after it."""

    counts: Counter[str] = field(default_factory=Counter)
    waiting: int = 0
    dead_letters: int = 0
    #: Endpoints that gave no answer, and rest.
    resting: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """The same on one line."""
        said = ", ".join(
            f"{self.counts[name]:,} {name}" for name in ("delivered", "failed", "dead")
        )
        rest = f"; no answer from {', '.join(self.resting)}" if self.resting else ""
        return f"{said}; {self.waiting:,} waiting, {self.dead_letters:,} dead letters{rest}"


class _Health:
    """How often each endpoint gave no answer in a row."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.silent: Counter[str] = Counter()

    def note(self, endpoint: str, answer: Answer) -> None:
        with self.lock:
            self.silent[endpoint] = 0 if answer.status_code else self.silent[endpoint] + 1

    def rests(self, endpoint: str) -> bool:
        with self.lock:
            return self.silent[endpoint] >= RESTS_AFTER


@dataclass
class Deliverer:
    """Sends to `endpoints`; `open_warehouse` opens the warehouse for a moment."""

    open_warehouse: Callable[[], AbstractContextManager[Warehouse]]
    endpoints: Mapping[str, Endpoint]
    schema_prefix: str = ""
    clock: Clock = field(default_factory=Clock)
    say: Callable[[str], None] = print
    send: Send = send

    def deliver(self) -> Summary:
        """Send all that is due, for some minutes at most.

        Raises UserError where a secret is missing or no build has made the outbox.
        """
        signers = {name: each.signers() for name, each in self.endpoints.items()}
        summary, health = Summary(), _Health()
        end = self.clock.now() + timedelta(seconds=LONGEST_DELIVERY)
        attempts: list[Attempt] = []
        while True:
            with self.open_warehouse() as warehouse:
                outbox = Outbox(warehouse, self.schema_prefix)
                outbox.append(attempts)
                awake = [each for each in self.endpoints.values() if not health.rests(each.name)]
                now = self.clock.stamp()
                is_over = self.clock.now() >= end
                due = {} if is_over else self._due(outbox, awake, now)
                wait = None if due or is_over else self._wait(outbox, awake, now)
                if not due and wait is None:
                    self._sum_up(summary, outbox, health)
                    return summary
            attempts = []
            if wait is not None:
                self.clock.sleep(wait)
                continue
            attempts = self._round(due, signers, health)
            summary.counts.update(attempt.outcome for attempt in attempts)
            self.say(f"{len(attempts):,} sent: {_counted(attempts)}")

    def _due(
        self, outbox: Outbox, endpoints: Iterable[Endpoint], now: datetime
    ) -> dict[tuple[str, str], list[DueEvent]]:
        """A queue for each endpoint and customer."""
        queues: dict[tuple[str, str], list[DueEvent]] = {}
        for endpoint in endpoints:
            for event in outbox.due(endpoint, now, BATCH, PER_CUSTOMER):
                queues.setdefault((endpoint.name, event.customer_id), []).append(event)
        return queues

    def _wait(self, outbox: Outbox, endpoints: Iterable[Endpoint], now: datetime) -> float | None:
        """The seconds until something is due again, if that is soon."""
        times = [outbox.next_due_at(endpoint, now) for endpoint in endpoints]
        soonest = min((each for each in times if each is not None), default=None)
        if soonest is None or (wait := (soonest - now).total_seconds()) > PATIENCE:
            return None
        return wait

    def _round(
        self,
        queues: Mapping[tuple[str, str], list[DueEvent]],
        signers: Mapping[str, Sequence[Any]],
        health: _Health,
    ) -> list[Attempt]:
        """One pass through the queues, several at a time."""
        until = self.clock.now() + timedelta(seconds=LONGEST_ROUND)

        def work(item: tuple[tuple[str, str], list[DueEvent]]) -> list[Attempt]:
            (name, _), events = item
            made: list[Attempt] = []
            for event in events:
                is_late = self.clock.now() >= until
                if is_late or health.rests(name) or event.due_at > self.clock.stamp():
                    break
                attempt, answer = self._try(self.endpoints[name], signers[name], event)
                health.note(name, answer)
                made.append(attempt)
                if attempt.outcome == "failed":
                    break
            return made

        with ThreadPoolExecutor(WORKERS) as pool:
            return [attempt for made in pool.map(work, queues.items()) for attempt in made]

    def _try(
        self, endpoint: Endpoint, signers: Sequence[Any], event: DueEvent
    ) -> tuple[Attempt, Answer]:
        answer = self.send(endpoint, signers, event.event_id, event.payload, self.clock.now())
        outcome = "failed"
        if answer.is_delivered:
            outcome = "delivered"
        elif answer.is_gone or event.failed_count + 1 >= len(SCHEDULE):
            outcome = "dead"
        attempt = Attempt(
            event.event_id,
            endpoint.name,
            self.clock.stamp(),
            outcome,
            answer.status_code,
            answer.reason or None,
        )
        return attempt, answer

    def _sum_up(self, summary: Summary, outbox: Outbox, health: _Health) -> None:
        for endpoint in self.endpoints.values():
            counts = outbox.counts(endpoint)
            summary.waiting += counts["waiting"]
            summary.dead_letters += counts["dead"]
        summary.resting = [name for name in self.endpoints if health.rests(name)]


def _counted(attempts: Sequence[Attempt]) -> str:
    counts = Counter(attempt.outcome for attempt in attempts)
    return ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(counts.items()))

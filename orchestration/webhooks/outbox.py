"""The outbox and its attempts as tables: what is due, what became of it, what is listed.

A build makes the tables (macros/webhooks/create_webhook_tables.sql). Attempts are only appended;
where an event stands at an endpoint follows from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestration.errors import UserError
from orchestration.exports.export_log import append_rows
from orchestration.ledger import has_table
from orchestration.warehouse import Warehouse, quote_identifier
from orchestration.webhooks.endpoints import Endpoint

#: Seconds before each attempt, after the one before has failed: Standard Webhooks' own schedule.
SCHEDULE = (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
STATES = ("waiting", "delivered", "dead")
ATTEMPT_COLUMNS = (
    ("attempt_number", "bigint"),
    ("event_id", "text"),
    ("endpoint", "text"),
    ("attempted_at", "timestamp"),
    ("outcome", "text"),
    ("status_code", "bigint"),
    ("reason", "text"),
)
#: Before everything: what was never tried is due.
LONG_AGO = "cast('1900-01-01' as timestamp)"


@dataclass(frozen=True)
class DueEvent:
    """An event that an endpoint has not had yet; `failed_count` attempts have failed."""

    event_id: str
    customer_id: str
    payload: str
    failed_count: int
    due_at: datetime


@dataclass(frozen=True)
class Attempt:
    """A row of the attempts: outcome delivered, failed, dead (the last one failed) or replayed."""

    event_id: str
    endpoint: str
    attempted_at: datetime
    outcome: str
    status_code: int | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Delivery:
    """Where an event stands at an endpoint."""

    event_id: str
    event_type: str
    customer_id: str
    occurred_at: datetime
    endpoint: str
    state: str
    failed_count: int
    attempted_at: datetime | None
    status_code: int | None
    reason: str | None


class Outbox:
    """The tables in an open warehouse. Raises UserError where no build has made them."""

    def __init__(self, warehouse: Warehouse, schema_prefix: str = "") -> None:
        schema = f"{schema_prefix}webhooks"
        if not has_table(warehouse, schema, "attempts"):
            raise UserError("the outbox is not there yet: run tally build")
        self.warehouse = warehouse
        self.outbox = f"{quote_identifier(schema)}.outbox"
        self.attempts = f"{quote_identifier(schema)}.attempts"

    def due(
        self, endpoint: Endpoint, now: datetime, limit: int, per_customer: int
    ) -> list[DueEvent]:
        """What may be sent now, in order per customer: none of whom an earlier event still waits.

        The first of each customer come first, so that none with many keeps the others out.
        """
        _, rows = self.warehouse.query(
            f"{self._waiting(endpoint)}"
            " select waiting.event_id, waiting.customer_id, outbox.payload,"
            " waiting.failed_count, waiting.due_at"
            f" from waiting inner join {self.outbox} as outbox"
            " on waiting.event_id = outbox.event_id"
            " where waiting.head_due_at <= ? and waiting.place <= ?"
            f" order by waiting.place, waiting.position limit {int(limit)}",
            [*self._parameters(endpoint), now, per_customer],
        )
        return [DueEvent(*row) for row in rows]

    def next_due_at(self, endpoint: Endpoint, now: datetime) -> datetime | None:
        """When something is due that is not due yet; None where nothing is."""
        _, rows = self.warehouse.query(
            f"{self._waiting(endpoint)} select min(head_due_at) from waiting where head_due_at > ?",
            [*self._parameters(endpoint), now],
        )
        return rows[0][0]

    def counts(self, endpoint: Endpoint) -> dict[str, int]:
        """How many events are in each state at an endpoint."""
        _, rows = self.warehouse.query(
            f"{self._states(endpoint)} select state, count(*) from states group by state",
            self._parameters(endpoint),
        )
        return {**dict.fromkeys(STATES, 0), **dict(rows)}

    def deliveries(
        self,
        endpoint: Endpoint,
        state: str | None = None,
        customer: str | None = None,
        event_id: str | None = None,
        limit: int | None = None,
    ) -> list[Delivery]:
        """Where events stand at an endpoint, the newest first."""
        conditions, parameters = ["true"], self._parameters(endpoint)
        chosen = (("state", state), ("customer_id", customer), ("event_id", event_id))
        for column, value in chosen:
            if value is not None:
                conditions.append(f"{column} = ?")
                parameters.append(value)
        _, rows = self.warehouse.query(
            f"{self._states(endpoint)}"
            " select event_id, event_type, customer_id, occurred_at, state, failed_count,"
            " attempted_at, status_code, reason from states"
            f" where {' and '.join(conditions)} order by position desc"
            + (f" limit {int(limit)}" if limit is not None else ""),
            parameters,
        )
        return [Delivery(*row[:4], endpoint.name, *row[4:]) for row in rows]

    def has_event(self, event_id: str) -> bool:
        _, rows = self.warehouse.query(
            f"select count(*) from {self.outbox} where event_id = ?", [event_id]
        )
        return rows[0][0] > 0

    def append(self, attempts: Sequence[Attempt]) -> None:
        """Append attempts in their order, all or none."""
        if not attempts:
            return
        with self.warehouse.transaction():
            if self.warehouse.kind == "postgres":
                # Numbers follow each other, whoever else appends.
                self.warehouse.execute(f"lock table {self.attempts} in exclusive mode")
            _, rows = self.warehouse.query(
                f"select coalesce(max(attempt_number), 0) from {self.attempts}"
            )
            append_rows(
                self.warehouse,
                self.attempts,
                ATTEMPT_COLUMNS,
                [
                    (number, each.event_id, each.endpoint, each.attempted_at, each.outcome,
                     each.status_code, each.reason)
                    for number, each in enumerate(attempts, start=rows[0][0] + 1)
                ],
            )  # fmt: skip

    def _parameters(self, endpoint: Endpoint) -> list[Any]:
        return [endpoint.name, endpoint.since, *endpoint.event_types]

    def _states(self, endpoint: Endpoint) -> str:
        """`with states as ...`, a row an event of the endpoint; see `_parameters`.

        An event is the endpoint's if it takes such events, or was to be sent to it again.
        """
        delays = " ".join(f"when {k} then {SCHEDULE[k]}" for k in range(1, len(SCHEDULE)))
        marks = ", ".join("?" * len(endpoint.event_types))
        return f"""
        with numbered as (
            select
                *,
                max(case when outcome = 'replayed' then attempt_number else 0 end)
                    over (partition by event_id) as replayed_number,
                row_number() over (partition by event_id order by attempt_number desc) as place
            from {self.attempts}
            where endpoint = ?
        ),
        tries as (
            select
                event_id,
                max(replayed_number) as replayed_number,
                cast(
                    sum(
                        case
                            when outcome = 'failed' and attempt_number > replayed_number then 1
                            else 0
                        end
                    ) as integer
                ) as failed_count,
                max(case when place = 1 then outcome end) as outcome,
                max(case when place = 1 then attempted_at end) as attempted_at,
                max(case when place = 1 then status_code end) as status_code,
                max(case when place = 1 then reason end) as reason
            from numbered
            group by event_id
        ),
        states as (
            select
                outbox.position,
                outbox.event_id,
                outbox.event_type,
                outbox.customer_id,
                outbox.occurred_at,
                case
                    when tries.outcome in ('delivered', 'dead') then tries.outcome else 'waiting'
                end as state,
                coalesce(tries.failed_count, 0) as failed_count,
                tries.attempted_at,
                tries.status_code,
                tries.reason,
                case
                    when tries.outcome = 'failed'
                        then tries.attempted_at
                        + (case tries.failed_count {delays} else 0 end) * interval '1 second'
                    else {LONG_AGO}
                end as due_at
            from {self.outbox} as outbox
            left join tries
                on outbox.event_id = tries.event_id
            where
                (outbox.occurred_at >= ? and outbox.event_type in ({marks}))
                or tries.replayed_number > 0
        )
        """

    def _waiting(self, endpoint: Endpoint) -> str:
        """The same, and `waiting`: what is not delivered or dead, by its place in its queue."""
        return f"""{self._states(endpoint)},
        waiting as (
            select
                *,
                row_number() over (partition by customer_id order by position) as place,
                first_value(due_at) over (partition by customer_id order by position)
                    as head_due_at
            from states
            where state = 'waiting'
        )
        """

"""Has an event sent again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from orchestration.errors import UserError
from orchestration.webhooks.endpoints import Endpoint
from orchestration.webhooks.outbox import Attempt, Outbox


def replay_event(
    outbox: Outbox,
    event_id: str,
    endpoints: Mapping[str, Endpoint],
    is_named: bool,
    now: datetime,
) -> list[str]:
    """Have the next delivery send an event to endpoints again, whatever became of it; their names.

    To those that take it; to one that `is_named`, also where it otherwise would not. Its attempts
    count anew. Raises UserError where there is no such event, or nobody to send it to.
    """
    if not outbox.has_event(event_id):
        raise UserError(f"no event {event_id} in the outbox: tally webhooks list shows them")
    names = [
        name
        for name, endpoint in endpoints.items()
        if is_named or outbox.deliveries(endpoint, event_id=event_id)
    ]
    if not names:
        raise UserError(f"no endpoint takes {event_id}: name one with --endpoint")
    outbox.append([Attempt(event_id, name, now, "replayed") for name in names])
    return names

"""`tally webhooks`: its options, and what it prints."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestration.errors import UserError
from orchestration.house import find_project
from orchestration.webhooks.endpoints import Endpoint
from orchestration.webhooks.outbox import STATES, Delivery

#: How many events of an endpoint are listed.
LISTED = 100


def add_webhook_arguments(
    parser: argparse.ArgumentParser,
) -> Callable[[argparse.Namespace], int]:
    """The options of `tally webhooks`."""
    from orchestration.sole_build import add_wait_argument

    parser.add_argument(
        "action",
        choices=("deliver", "list", "replay"),
        help="send what is due, show where events stand, or have one sent again",
    )
    parser.add_argument("event_id", nargs="?", metavar="EVENT_ID", help="replay: of which event")
    parser.add_argument(
        "--endpoint", metavar="NAME", help="list and replay: of webhooks.yml (default: all)"
    )
    parser.add_argument("--state", choices=STATES, help="list: those that are")
    parser.add_argument("--customer", metavar="ID", help="list: those of a customer")
    add_wait_argument(parser)
    return run_webhooks


def run_webhooks(arguments: argparse.Namespace) -> int:
    """Deliver, list or replay; exit code 1 where an event has become a dead letter."""
    from orchestration.house import project_variable
    from orchestration.warehouse import has_warehouse
    from orchestration.webhooks.endpoints import read_endpoints

    if (arguments.action == "replay") != bool(arguments.event_id):
        raise UserError(
            "tally webhooks replay: expected an event id, such as tally webhooks list shows"
            if arguments.action == "replay"
            else f"tally webhooks {arguments.action} takes no event id"
        )
    project = find_project()
    endpoints = read_endpoints(project)
    if not endpoints:
        print("no endpoints: webhooks.yml names none")
        return 0
    if not has_warehouse(arguments.target):
        raise UserError("nothing has been built here yet: run tally build")
    prefix = project_variable(project, "schema_prefix")
    if arguments.action == "deliver":
        return _deliver(arguments, project, prefix, endpoints)
    chosen = _choose(endpoints, arguments.endpoint)
    if arguments.action == "list":
        return _list(arguments, prefix, chosen)
    return _replay(arguments, prefix, chosen)


def _choose(endpoints: Mapping[str, Endpoint], name: str | None) -> Mapping[str, Endpoint]:
    if name is None:
        return endpoints
    if name not in endpoints:
        raise UserError(f"--endpoint: found {name}, expected one of {', '.join(endpoints)}")
    return {name: endpoints[name]}


def _deliver(
    arguments: argparse.Namespace, project: Path, prefix: str, endpoints: Mapping[str, Endpoint]
) -> int:
    from orchestration.sole_build import connect_when_free
    from orchestration.webhooks.delivery import Deliverer
    from orchestration.webhooks.sole_delivery import sole_delivery

    with sole_delivery(arguments.target, project, prefix):
        summary = Deliverer(
            lambda: connect_when_free(arguments.target, arguments.wait), endpoints, prefix
        ).deliver()
    print(summary.sentence())
    return int(summary.counts["dead"] > 0)


def _list(arguments: argparse.Namespace, prefix: str, endpoints: Mapping[str, Endpoint]) -> int:
    from orchestration.warehouse import connect
    from orchestration.webhooks.outbox import Outbox

    with connect(arguments.target, read_only=True) as warehouse:
        outbox = Outbox(warehouse, prefix)
        for endpoint in endpoints.values():
            for each in outbox.deliveries(
                endpoint, arguments.state, arguments.customer, limit=LISTED
            ):
                print(_line(each))
            counts = outbox.counts(endpoint)
            said = ", ".join(f"{counts[state]:,} {state}" for state in STATES)
            print(f"{endpoint.name}: {said}")
    return 0


def _line(one: Delivery) -> str:
    words = [
        one.event_id, f"{one.event_type:<17}", f"{one.occurred_at:%Y-%m-%d %H:%M}", one.customer_id,
        one.endpoint, one.state,
    ]  # fmt: skip
    if one.attempted_at is not None and one.state != "delivered":
        words.append(f"({one.failed_count} failed, the last at {one.attempted_at:%Y-%m-%d %H:%M}")
        words.append(f"UTC: {one.reason})" if one.reason else "UTC)")
    return "  ".join(words[:6]) + (f"  {' '.join(words[6:])}" if words[6:] else "")


def _replay(arguments: argparse.Namespace, prefix: str, endpoints: Mapping[str, Endpoint]) -> int:
    from orchestration.exports.export_log import utc_now
    from orchestration.sole_build import connect_when_free
    from orchestration.webhooks.outbox import Outbox
    from orchestration.webhooks.replaying import replay_event

    with connect_when_free(arguments.target, arguments.wait) as warehouse:
        outbox = Outbox(warehouse, prefix)
        names = replay_event(
            outbox, arguments.event_id, endpoints, arguments.endpoint is not None, utc_now()
        )
    print(f"{arguments.event_id} is sent again to {', '.join(names)} by the next delivery")
    return 0

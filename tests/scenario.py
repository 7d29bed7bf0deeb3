"""A small house with something of everything, written by hand: 36 load days, three zones.

Built through 5 February 2026 at the least, January is closed and February is a draft.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

THROUGH = "2026-02-05"

PLAN_CHARGES = [
    # charge_id, type, timing, meter, model, allowance
    ("base_fee", "recurring", "advance", "", "", ""),
    ("support_fee", "recurring", "arrears", "", "", ""),
    ("setup_fee", "one_time", "advance", "", "", ""),
    ("tokens", "usage", "", "tokens", "tiered", "1000"),
    ("calls", "usage", "", "calls", "per_unit", "5"),
    ("storage", "usage", "", "storage", "volume", ""),
    ("seats", "usage", "", "seats", "stairstep", ""),
    ("latency", "usage", "", "latency", "package", ""),
    ("users", "usage", "", "users", "flat", ""),
    ("takings", "usage", "", "takings", "percentage", ""),
]


def _price(charge: str, *bands: dict[str, Any], **row: Any) -> list[dict[str, Any]]:
    """A price of one charge in every currency of the scenario, band by band."""
    return [
        {"plan_id": "hybrid", "charge_id": charge, "currency": currency, **row, **band}
        for currency in ("USD", "EUR", "JPY")
        for band in bands
    ]


def catalog() -> dict[str, list[dict[str, Any]]]:
    """The catalogue, rows by file name."""
    homes = {
        "acme": ("USD", "America/New_York", "US"),
        "blau": ("EUR", "Europe/Berlin", "EU"),
        "nippon": ("JPY", "Asia/Tokyo", "EU"),
    }
    prices: list[dict[str, Any]] = [
        *_price("base_fee", {"unit_price": "49.99"}),
        *_price("support_fee", {"unit_price": "10"}),
        *_price("setup_fee", {"unit_price": "99"}),
        *_price("calls", {"unit_price": "0.0125"}),
        *_price(
            "storage",
            {"up_to": "10", "unit_price": "0.5"},
            {"unit_price": "0.25", "flat_fee": "1"},
        ),
        *_price("seats", {"up_to": "2", "flat_fee": "20"}, {"flat_fee": "35"}),
        *_price("latency", {"unit_price": "0.1", "package_size": "100"}),
        *_price("users", {"flat_fee": "7.77"}),
        *_price(
            "takings",
            {"percent": "2.9", "event_fee": "0.3", "free_amount": "10", "free_events": "1"},
        ),
    ]
    for position, region in enumerate(("", "region=eu", "region=eu|model=large"), start=1):
        prices += _price(
            "tokens",
            {"up_to": "5000", "unit_price": f"0.00{position}"},
            {"unit_price": f"0.000{position}", "flat_fee": "0.5"},
            dimension_values=region,
            position=position,
        )
    return {
        "customers": [
            {
                "customer_id": customer,
                "name": customer.title(),
                "currency": currency,
                "time_zone": zone,
                "billing_entity": entity,
            }
            for customer, (currency, zone, entity) in homes.items()
        ],
        "products": [{"product_id": "api", "name": "API", "product_type": "api"}],
        "plans": [
            {
                "plan_id": "hybrid",
                "product_id": "api",
                "name": "Hybrid",
                "cycle": "month",
                "alignment": "calendar",
            }
        ],
        "charges": [
            {
                "plan_id": "hybrid",
                "charge_id": charge,
                "position": position,
                "name": charge.replace("_", " ").capitalize(),
                "charge_type": kind,
                "timing": timing,
                "meter": meter,
                "meter_version": "1" if meter else "",
                "pricing_model": model,
                "allowance": allowance,
            }
            for position, (charge, kind, timing, meter, model, allowance) in enumerate(
                PLAN_CHARGES, start=1
            )
        ],
        "charge_limits": [
            {"plan_id": "hybrid", "charge_id": "calls", "currency": "USD", "minimum": "5"},
            {"plan_id": "hybrid", "charge_id": "tokens", "currency": "EUR", "maximum": "3"},
        ],
        "prices": prices,
        "meters": [
            _meter("tokens", "completion", "sum", "usage.tokens", dimensions="region|model"),
            _meter("calls", "completion", "count"),
            _meter(
                "storage",
                "storage",
                "weighted_sum",
                "gib",
                weighted_mode="reading",
                carry_over="true",
            ),
            _meter("seats", "seats", "max", "seats"),
            _meter("latency", "completion", "percentile", "ms", percentile="95"),
            _meter("users", "completion", "count_unique", "user"),
            _meter("takings", "sale", "sum", "amount"),
        ],
        "meter_filters": [
            {
                "meter": "calls",
                "version": "1",
                "property": '"http.status"',
                "operator": "lt",
                "value": "500",
            }
        ],
        "subscriptions": [
            {
                "subscription_id": f"sub_{customer}",
                "customer_id": customer,
                "plan_id": "hybrid",
                "starts_at": "2026-01-01",
            }
            for customer in homes
        ],
        "credit_grants": _grants(),
        "credit_actions": [
            {
                "action_id": "void_blau",
                "action": "void",
                "grant_id": "blau_paid",
                "acts_at": "2026-01-18T10:00:00Z",
                "reason": "A refund of what was left",
            },
            {
                "action_id": "move_nippon",
                "action": "transfer",
                "grant_id": "nippon_spare",
                "to_grant_id": "nippon_gift",
                "amount": "20",
                "acts_at": "2026-01-25T00:00:00Z",
                "reason": "Asked for",
            },
        ],
    }


def _grants() -> list[dict[str, Any]]:
    """Prepaid credits: scoped, ending, monthly, voided, and one that is recorded late."""
    return [
        _grant("acme_paid", "acme", "USD", "12", kind="paid", cost_basis="10"),
        _grant(
            "acme_calls", "acme", "USD", "1", scope="meter", scope_id="calls",
            expires_at="2026-01-20T12:00:00Z", priority="10",
        ),
        _grant("acme_weekly", "acme", "USD", "2", every="week", rollover_cap="1", priority="20"),
        _grant("blau_paid", "blau", "EUR", "9", kind="paid", covers_true_up="true"),
        _grant(
            "nippon_gift", "nippon", "JPY", "400", effective_at="2026-01-05T00:00:00Z",
            recorded_at="2026-01-10T08:00:00Z",
        ),
        _grant("nippon_spare", "nippon", "JPY", "50", kind="paid", wallet="spare"),
    ]  # fmt: skip


def _grant(grant_id: str, customer: str, currency: str, amount: str, **terms: str):
    return {
        "grant_id": grant_id,
        "name": grant_id.replace("_", " ").capitalize(),
        "customer_id": customer,
        "kind": "promotional",
        "currency": currency,
        "amount": amount,
        "effective_at": "2026-01-01T00:00:00Z",
        **terms,
    }


def _meter(name: str, event_name: str, aggregation: str, property: str = "", **more: str):
    return {
        "meter": name,
        "version": "1",
        "event_name": event_name,
        "aggregation": aggregation,
        "property": property,
        **more,
    }


def rows() -> list[dict[str, Any]]:
    """Raw deliveries: one load a day, with duplicates, conflicts, late ones, voids, rejects."""
    delivered: list[dict[str, Any]] = []
    first = datetime(2026, 1, 1)
    for day in range(36):
        occurred = first + timedelta(days=day)
        loaded_at = occurred + timedelta(hours=23, minutes=30)
        load_id = hashlib.sha256(f"load {day}".encode()).hexdigest()[:32]
        lines: list[dict[str, Any]] = []
        for number, customer in enumerate(("acme", "blau", "nippon")):
            for turn in range(4):
                lines.append(
                    _event(
                        customer,
                        "completion",
                        occurred + timedelta(hours=5 * turn, minutes=7 * day % 60),
                        f"c{day}-{turn}",
                        {
                            "usage": {"tokens": 137 * (day + 1) * (turn + 1) % 3001},
                            "region": ("eu", "us", "eu")[(day + turn) % 3],
                            "model": ("large", "small")[(day + number) % 2],
                            "http.status": (200, 503)[(day * turn) % 7 == 6],
                            "ms": f"{(day * 37 + turn * 11) % 400}.5",
                            "user": f"u{(day + turn) % 9}",
                        },
                    )
                )
            lines.append(
                _event(
                    customer,
                    "storage",
                    occurred + timedelta(hours=12),
                    f"s{day}",
                    {"gib": f"{(day * 5) % 23}.25"},
                )
            )
            if day % 7 == number:
                lines.append(_event(customer, "seats", occurred, f"p{day}", {"seats": 1 + day % 4}))
                lines.append(
                    _event(customer, "sale", occurred, f"t{day}", {"amount": f"{day}.335"})
                )
        lines += _oddities(day, occurred)
        delivered += [
            {"load_id": load_id, "line_number": line, "loaded_at": loaded_at, **event}
            for line, event in enumerate(lines, start=1)
        ]
    return delivered


def _event(customer: str, name: str, occurred: datetime, key: str, properties: Any):
    return {
        "customer_id": customer,
        "event_name": name,
        "occurred_at": occurred.replace(tzinfo=UTC).isoformat(),
        "event_key": key,
        "properties": json.dumps(properties),
    }


def _oddities(day: int, occurred: datetime) -> list[dict[str, Any]]:
    """What a real feed also brings, on the days on which it does."""
    usual = {"usage": {"tokens": 500}, "region": "eu", "model": "large", "ms": 1, "user": "x"}
    if day == 3:  # the same again, and the same key with other content
        return [
            _event("acme", "seats", datetime(2026, 1, 1), "p0", {"seats": 1}),
            _event("acme", "seats", datetime(2026, 1, 1), "p0", {"seats": 99}),
        ]
    if day == 5:  # a void of what came, and one of what comes later
        return [
            {"customer_id": "acme", "voids_key": "c4-1", "event_key": "v1"},
            {"customer_id": "blau", "voids_key": "c9-2", "event_key": "v2"},
        ]
    if day == 8:  # what nobody can read, and what nobody can bill
        return [
            {"unread_record": '{"customer_id": "acme", "event_na'},
            _event("acme", "completion", occurred, "bad1", usual) | {"properties": "[1]"},
            _event("acme", "completion", occurred, "bad2", usual) | {"occurred_at": "soon"},
            _event("acme", "completion", occurred, "bad3", usual)
            | {"properties": '{"a": 1, "a": 2}'},
            _event("acme", "completion", datetime(2027, 1, 1), "bad4", usual),
            _event("acme", "nothing_meters_this", occurred, "odd1", usual),
            _event("nobody", "completion", occurred, "odd2", usual),
            _event("acme", "completion", occurred, "odd3", usual) | {"subscription_id": "no"},
            _event("acme", "seats", occurred, "odd4", {"seats": "many"}),
            _event("acme", "completion", datetime(2025, 12, 1), "odd5", usual),
        ]
    if day == 32:  # late, but before the cutoff of January
        return [_event("blau", "completion", datetime(2026, 1, 30), "late1", usual)]
    if day == 34:  # too late for January
        return [_event("blau", "completion", datetime(2026, 1, 30), "late2", usual)]
    return []

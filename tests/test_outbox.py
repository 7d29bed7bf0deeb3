"""The outbox as builds fill it: the same on both engines, and once."""

from __future__ import annotations

import json

import psycopg2
import pytest

from tests import scenario

ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])
EVENTS = (
    "select event_type, customer_id, occurred_at, payload from webhooks.outbox order by position"
)


def test_the_outbox_is_the_same_on_both_engines(scenario_twins):
    exports = {engine: house.export("webhooks.outbox") for engine, house in scenario_twins.items()}
    assert exports["duckdb"] == exports["postgres"]
    types = {row.split("|")[2] for row in exports["duckdb"]}
    assert {"invoice.created", "invoice.finalized"} <= types


def test_final_documents_are_told_with_their_amounts(scenario_twins):
    house = scenario_twins["duckdb"]
    told = [json.loads(payload) for *_, payload in house.query(EVENTS)]
    found = {
        event["data"]["invoice_number"]: (event["timestamp"], event["data"]["invoice_total"])
        for event in told
        if event["type"] == "invoice.finalized"
    }
    final = house.query(
        "select invoice_number, cutoff_at, invoice_total, currency from marts.invoices"
        " where status = 'final'"
    )
    assert found == {
        number: (f"{cutoff_at:%Y-%m-%dT%H:%M:%S.%fZ}", f"{total:.{0 if unit == 'JPY' else 2}f}")
        for number, cutoff_at, total, unit in final
    }
    created = {e["data"]["invoice_id"] for e in told if e["type"] == "invoice.created"}
    assert created == {row[0] for row in house.query("select invoice_id from marts.invoices")}


def test_events_stand_in_the_order_in_which_they_occurred(scenario_twins):
    rows = scenario_twins["duckdb"].query(EVENTS)
    assert [row[2] for row in rows] == sorted(row[2] for row in rows)
    seals = "select sealed_until from %s.%s"
    told = scenario_twins["duckdb"].query(seals % ("webhooks", "outbox_seals"))
    assert told == scenario_twins["duckdb"].query(seals % ("ledger", "seals"))[-1:]


@ENGINES
def test_a_second_build_adds_nothing(scenario_twins, engine):
    house = scenario_twins[engine]
    before = house.export("webhooks.outbox"), house.export("webhooks.outbox_seals")
    # Published, as the house was: other tests look at what it shows.
    house.build_untested("--through", scenario.THROUGH, is_published=True)
    assert (house.export("webhooks.outbox"), house.export("webhooks.outbox_seals")) == before


def test_postgresql_refuses_to_alter_it(scenario_twins):
    with pytest.raises(psycopg2.Error, match="the outbox is append-only: update of webhooks"):
        scenario_twins["postgres"].query("update webhooks.outbox set customer_id = 'x'")

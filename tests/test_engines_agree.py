"""The same scenario on DuckDB and on Postgres gives the same bytes."""

import pytest

TABLES = (
    "marts.invoices",
    "marts.invoice_lines",
    "marts.rating_steps",
    "marts.unbilled_usage",
    "marts.rejected_events",
    "marts.usage_daily",
    "marts.loads",
)


@pytest.mark.parametrize("table", TABLES)
def test_scenario_is_the_same_on_both_engines(scenario_twins, table):
    exports = {engine: house.export(table) for engine, house in scenario_twins.items()}
    assert exports["duckdb"] == exports["postgres"]
    assert exports["duckdb"], f"{table} is empty: nothing was compared"


@pytest.mark.parametrize("table", TABLES)
def test_random_world_is_the_same_on_both_engines(world_twins, table):
    exports = {engine: house.export(table) for engine, house in world_twins.items()}
    assert exports["duckdb"] == exports["postgres"]
    assert exports["duckdb"], f"{table} is empty: nothing was compared"

"""Money and quantities never pass through binary floating point: no column is of such a type."""

import pytest

FLOATING = "('double', 'double precision', 'real', 'float', 'float4', 'float8')"


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_no_column_of_any_table_is_floating_point(scenario_twins, engine):
    columns = scenario_twins[engine].query(
        "select table_schema, table_name, column_name, data_type "
        "from information_schema.columns "
        "where table_schema not in ('information_schema', 'pg_catalog') "
        f"and lower(data_type) in {FLOATING}"
    )
    assert columns == []


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_there_are_columns_to_look_at(scenario_twins, engine):
    (count,) = scenario_twins[engine].query(
        "select count(*) from information_schema.columns where table_schema = 'marts'"
    )[0]
    assert count > 50

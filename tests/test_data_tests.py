"""What guards the data finds what it is there for, on both engines: the project's own generic
tests, and the constraints of the tables with a contract."""

import pytest

ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])
SEPARATOR = "-- next query"
PLANTED = """
    create table planted as
    select 1 as id, 'a' as name, 2 as units
    union all select 2, null, -1
    union all select 3, null, null
    union all select 3, 'c', 0
"""
TESTS = {
    "never_null": "test_never_null('planted', ['id', 'name', 'units'])",
    "never_null where none is": "test_never_null('planted', ['id'])",
    "rows_hold": "test_rows_hold('planted', 'units >= 0')",
    "rows_hold by name": "test_rows_hold('planted', expressions={"
    "'are_positive': 'units >= 0', 'are_few': 'units < 2', 'are_numbered': 'id > 0'})",
    "unique_combination": "test_unique_combination('planted', ['id'])",
    "unique_combination with a null": "test_unique_combination('planted', ['id', 'name'])",
}


@ENGINES
def test_generic_tests_name_what_is_broken(scenario_twins, engine):
    house = scenario_twins[engine]
    template = f"\n{SEPARATOR}\n".join(f"{{{{ {call} }}}}" for call in TESTS.values())
    done = house.dbt("--quiet", "compile", "--inline", template)
    assert done.returncode == 0, done.stdout
    house.query(PLANTED)
    try:
        queries = done.stdout.split(SEPARATOR)
        found = {
            name: sorted(house.query(query)) for name, query in zip(TESTS, queries, strict=True)
        }
    finally:
        house.query("drop table planted")
    assert found["never_null"] == [("name", 2), ("units", 1)]
    assert found["never_null where none is"] == []
    assert [row[1] for row in found["rows_hold"]] == [2, 3]
    assert [(row[0].split(), row[1]) for row in found["rows_hold by name"]] == [
        (["are_few"], 1),
        (["are_positive"], 2),
        (["are_positive", "are_few"], 3),
    ]
    assert found["unique_combination"] == [(3, 2)]
    assert [row[0] for row in found["unique_combination with a null"]] == [2, 3]


@ENGINES
def test_a_null_is_refused_by_the_table(scenario_twins, engine):
    house = scenario_twins[engine]
    before = house.export("marts.rating_steps")
    assert before
    house.query("create table kept as select * from rating.int_rating__steps")
    house.query("update rating.int_rating__steps set fixed_amount = null")
    try:
        done = house.dbt("run", "--select", "rating_steps")
    finally:
        house.query("delete from rating.int_rating__steps")
        house.query("insert into rating.int_rating__steps select * from kept")
        house.query("drop table kept")
    assert done.returncode == 1
    assert "fixed_amount" in done.stdout
    assert "null" in done.stdout.lower()
    assert house.export("marts.rating_steps") == before

"""dbt's own unit tests, beside the models, run on both engines in the house of the scenario."""

import pytest


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_unit_tests_of_the_models_hold(scenario_twins, engine):
    done = scenario_twins[engine].dbt("test", "--select", "test_type:unit")
    assert done.returncode == 0, done.stdout[-4000:]

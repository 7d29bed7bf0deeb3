"""Dagster's log, kept open and written in batches: the same as its own."""

import threading
from pathlib import Path

import dagster as dg
import pytest
import yaml

from orchestration.defs.event_log import BATCH, OPEN_DATABASES
from orchestration.defs.start import prepare_home

DAYS = dg.DailyPartitionsDefinition(start_date="2026-01-01", end_date="2026-03-01")
ONE_RUN = dg.BackfillPolicy.single_run()
FIRST, LAST = "2026-01-05", "2026-02-13"
DAY_COUNT = 40


@dg.multi_asset(
    specs=[dg.AssetSpec(name, partitions_def=DAYS) for name in ("meters", "lines")],
    backfill_policy=ONE_RUN,
)
def house():
    for name in ("meters", "lines"):
        yield dg.MaterializeResult(asset_key=name, metadata={"rows": 3}, tags={"kind": name})


@dg.asset_check(asset="lines")
def lines_add_up() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def run_range(instance: dg.DagsterInstance) -> str:
    result = dg.materialize(
        [house, lines_add_up],
        instance=instance,
        tags={
            "dagster/asset_partition_range_start": FIRST,
            "dagster/asset_partition_range_end": LAST,
        },
    )
    assert result.success
    return result.run_id


def tell(instance: dg.DagsterInstance) -> dict[str, object]:
    """What the instance knows of the assets, and of the run in its own log and in that of all."""
    told: dict[str, object] = {}
    run_id = run_range(instance)
    told["of the run"] = sorted(
        (event.dagster_event_type.value, str(event.dagster_event.partition))
        for event in instance.all_logs(run_id)
        if event.is_dagster_event and "ASSET" in event.dagster_event_type.value
    )
    for name in ("meters", "lines"):
        key = dg.AssetKey(name)
        told[f"days of {name}"] = sorted(instance.get_materialized_partitions(key))
        records = instance.fetch_materializations(key, limit=100).records
        told[f"events of {name}"] = [
            (record.partition_key, record.asset_materialization.metadata["rows"].value)
            for record in records
        ]
        planned = instance.get_event_records(
            dg.EventRecordsFilter(dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, key)
        )
        told[f"plans of {name}"] = sorted(str(record.partition_key) for record in planned)
        last = instance.get_latest_materialization_event(key)
        told[f"last of {name}"] = last.dagster_event.partition
    told["assets"] = sorted(key.to_user_string() for key in instance.all_asset_keys())
    return told


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Path, Path]:
    bulk, own = prepare_home(tmp_path / "bulk"), prepare_home(tmp_path / "own")
    settings = yaml.safe_load((own / "dagster.yaml").read_text())
    del settings["event_log_storage"]
    (own / "dagster.yaml").write_text(yaml.safe_dump(settings))
    return bulk, own


def test_a_range_written_in_batches_is_the_same(homes, monkeypatch) -> None:
    bulk, own = homes
    monkeypatch.setenv("DAGSTER_HOME", str(own))
    with dg.DagsterInstance.from_config(str(own)) as instance:
        expected = tell(instance)
    assert len(expected["days of lines"]) == DAY_COUNT
    for name, value in BATCH.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", str(bulk))
    with dg.DagsterInstance.from_config(str(bulk)) as instance:
        found = tell(instance)
    assert found == expected


def test_a_batch_is_two_transactions(homes, monkeypatch) -> None:
    """Not two for each event: that is what the class is for."""
    bulk, _ = homes
    for name, value in BATCH.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", str(bulk))
    with dg.DagsterInstance.from_config(str(bulk)) as instance:
        storage = instance.event_log_storage
        opened = []
        connect = storage._connect
        monkeypatch.setattr(
            storage, "_connect", lambda shard: opened.append(shard) or connect(shard)
        )
        run_range(instance)
    # 160 events of assets are written; by themselves they would be 320 transactions.
    assert len(opened) < DAY_COUNT * 2


def test_databases_stay_open_and_few_of_them(homes, monkeypatch) -> None:
    bulk, _ = homes
    monkeypatch.setenv("DAGSTER_HOME", str(bulk))
    with dg.DagsterInstance.from_config(str(bulk)) as instance:
        storage = instance.event_log_storage
        runs = [run_range(instance) for _ in range(2)]
        event = instance.all_logs(runs[0])[0]
        kept = storage._engines[runs[1]]
        for number in range(OPEN_DATABASES):
            storage.store_event(event._replace(run_id=f"run-{number}"))
            assert instance.all_logs(runs[1])
        assert storage._engines[runs[1]] is kept
        assert len(storage._engines) == OPEN_DATABASES
        assert runs[0] not in storage._engines
        # What is not open is opened again.
        assert instance.all_logs(runs[0])


def test_who_watches_a_run_sees_each_event_at_once(homes, monkeypatch) -> None:
    """The UI watches the file of a run, from another process."""
    bulk, _ = homes
    monkeypatch.setenv("DAGSTER_HOME", str(bulk))
    with (
        dg.DagsterInstance.from_config(str(bulk)) as instance,
        dg.DagsterInstance.from_config(str(bulk)) as watching,
    ):
        event = instance.all_logs(run_range(instance))[0]._replace(run_id="watched")
        instance.event_log_storage.store_event(event)
        seen, heard = [], threading.Event()

        def hear(entry, cursor) -> None:
            seen.append(entry.run_id)
            heard.set()

        watching.event_log_storage.watch("watched", None, hear)
        instance.event_log_storage.store_event(event)
        assert heard.wait(10)
        watching.event_log_storage.end_watch("watched", hear)
    assert set(seen) == {"watched"}

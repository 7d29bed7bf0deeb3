"""The dbt graph as assets: what a close stands on, and the close.

Between the two are the checks that may stop it. A run of everything closes what is due; a run of
some assets makes those and what they stand on, and closes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg

from orchestration.building import windows_after
from orchestration.catalog_files import COLUMNS, Fault
from orchestration.dbt_commands import Window, before_close_command, close_command
from orchestration.defs import changes
from orchestration.defs.dbt_runs import DbtRun, count_rows, table, whole_command
from orchestration.defs.gate import Gate, expectation_checks
from orchestration.defs.jobs import LAND
from orchestration.defs.lineage import LineageReader
from orchestration.defs.partitions import DAYS, ONE_RUN, POOL, window_of
from orchestration.defs.resources import House
from orchestration.defs.translation import Graph
from orchestration.house import target_folder
from orchestration.warehouse import Warehouse, quote_identifier

CATALOG_CHECK = "rows_are_sound"
Event = dg.MaterializeResult | dg.AssetCheckResult


@dataclass(frozen=True)
class Progress:
    """How far a run has come: its window as the warehouse has it, and the documents before it."""

    build_window: tuple[Any, ...]
    before: changes.Documents


class HouseAssets:
    """Both parts, and what a run hands from the first to the second."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.first = [each for each in graph.built if each not in graph.closing]
        self.second = [each for each in graph.built if each in graph.closing]
        self.progress: dict[str, Progress] = {}

    def definitions(self) -> list[dg.AssetsDefinition]:
        """The assets of both parts with their checks."""
        return [
            expectation_checks(self.build_window),
            self._part("usage_to_drafts", self.first, self._run_first, self._catalog_checks()),
            self._part("close", self.second, self._run_second, []),
        ]

    def _part(
        self, name: str, ids: list[str], run: Any, checks: Iterable[dg.AssetCheckSpec]
    ) -> dg.AssetsDefinition:
        tests = [each for each, owner in self.graph.tests.items() if owner in ids]

        @dg.multi_asset(
            name=name,
            specs=[self.graph.spec(each) for each in ids],
            check_specs=[*checks, *(self.graph.check_spec(each) for each in tests)],
            can_subset=True,
            partitions_def=DAYS,
            backfill_policy=ONE_RUN,
            pool=POOL,
        )
        def part(context: dg.AssetExecutionContext, house: House) -> Iterator[Event]:
            yield from run(context, house)

        return part

    def _catalog_checks(self) -> list[dg.AssetCheckSpec]:
        return [
            dg.AssetCheckSpec(
                name=CATALOG_CHECK,
                asset=dg.AssetKey(["catalog", name]),
                description="The rows fit each other, and what closes have seen of them.",
                blocking=True,
            )
            for name in COLUMNS
        ]

    def _chosen(self, context: dg.AssetExecutionContext, ids: list[str]) -> list[str]:
        """The nodes that a run of some assets is of; none: it is of all."""
        chosen = [each for each in ids if self.graph.key(each) in context.selected_asset_keys]
        return [] if len(chosen) == len(ids) else chosen

    # The first part

    def _run_first(self, context: dg.AssetExecutionContext, house: House) -> Iterator[Event]:
        chosen = self._chosen(context, self.first)
        with house.alone() as warehouse:
            before = changes.look(warehouse, house.schema_prefix)
            window = window_of(context.partition_key_range)
            if chosen or context.job_name == LAND:
                # Where it is not the run's to close, every day that is not sealed is left open.
                window = replace(window, open_day=before.sealed_until.date())
            faults = house.catalog_faults()
            yield from self._catalog_results(context, faults)
            if faults:
                raise dg.Failure(f"the catalogue: {faults[0]}{_and_more(len(faults))}")
            run = self._dbt(house)
            command = whole_command(house.source, house.project, house.target_name, window)
            if not chosen and context.job_name != LAND:
                Gate.prepare(context.run.run_id)
            run.run(before_close_command(command, map(self._name, chosen)))
            yield from self._results(context, run, warehouse)
            if run.fault:
                Gate.dismiss(context.run.run_id)
                raise dg.Failure(run.fault)
            if not chosen:
                row = self.build_window(warehouse, house)
                self.progress[context.run.run_id] = Progress(row, before)

    def _catalog_results(
        self, context: dg.AssetExecutionContext, faults: list[Fault]
    ) -> Iterator[dg.AssetCheckResult]:
        for name in COLUMNS:
            own = [fault for fault in faults if fault.file.removesuffix(".csv") == name]
            key = dg.AssetKey(["catalog", name])
            if dg.AssetCheckKey(key, CATALOG_CHECK) in context.selected_asset_check_keys:
                yield dg.AssetCheckResult(
                    passed=not own,
                    asset_key=key,
                    check_name=CATALOG_CHECK,
                    metadata={
                        "faults": len(own),
                        **({"reason": str(own[0]), "rows": _fault_table(own)} if own else {}),
                    },
                )

    # The second part

    def _run_second(self, context: dg.AssetExecutionContext, house: House) -> Iterator[Event]:
        window = window_of(context.partition_key_range)
        chosen = self._chosen(context, self.second)
        with house.alone() as warehouse:
            command = whole_command(house.source, house.project, house.target_name, window)
            if chosen:
                run = self._dbt(house)
                run.run(close_command(command, map(self._name, chosen)))
                yield from self._results(context, run, warehouse)
                if run.fault:
                    raise dg.Failure(run.fault)
                return
            progress = self.progress.pop(context.run.run_id, None)
            self._may_close(context, progress, warehouse, house)
            run = self._dbt(house)
            run.run(close_command(command))
            fault = run.fault
            if not fault:
                fault, run = self._go_on(context, house, window, run, warehouse)
            after = changes.look(warehouse, house.schema_prefix)
            changed = changes.compare(progress.before, after)
            yield from self._results(context, run, warehouse, {"invoices": changed.metadata()})
            context.log.info(changed.sentence())
            context.instance.add_run_tags(context.run.run_id, _tags(changed))
            if fault:
                raise dg.Failure(fault, metadata=changed.metadata())

    def _may_close(
        self,
        context: dg.AssetExecutionContext,
        progress: Progress | None,
        warehouse: Warehouse,
        house: House,
    ) -> None:
        """Raises dg.Failure unless this run itself made and checked all that the close is of."""
        if progress is None:
            raise dg.Failure(
                "a close stands on what its own run has made and checked: materialize all assets of"
                " the day (job close_cycles), or leave the seal out"
            )
        if self.build_window(warehouse, house) != progress.build_window:
            raise dg.Failure("another build of this house has begun since: run it again")
        self._require(context, house, warehouse, progress.build_window)

    def _require(
        self,
        context: dg.AssetExecutionContext,
        house: House,
        warehouse: Warehouse,
        build_window: tuple[Any, ...],
    ) -> None:
        Gate.require(
            context.run.run_id, warehouse, house.schema_prefix, build_window, context.log.info
        )

    def _go_on(
        self,
        context: dg.AssetExecutionContext,
        house: House,
        window: Window,
        run: DbtRun,
        warehouse: Warehouse,
    ) -> tuple[str, DbtRun]:
        """The further runs of a build that stopped before a day on which the catalogue changed."""
        for more in windows_after(window, house.target_name, house.schema_prefix):
            context.log.info(f"closed what was due before {more.late_day}; more follows")
            command = whole_command(house.source, house.project, house.target_name, more.window)
            first = self._dbt(house)
            first.run(before_close_command(command))
            if first.fault:
                return first.fault, run
            self._require(context, house, warehouse, self.build_window(warehouse, house))
            run = self._dbt(house)
            run.run(close_command(command))
            if run.fault:
                return run.fault, run
        return "", run

    # Both

    def _dbt(self, house: House) -> DbtRun:
        return DbtRun(self.graph, house.project, house.target_name)

    def _name(self, unique_id: str) -> str:
        return self.graph.node(unique_id)["name"]

    def build_window(self, warehouse: Warehouse, house: House) -> tuple[Any, ...]:
        schema = quote_identifier(f"{house.schema_prefix}builds")
        _, rows = warehouse.query(
            "select from_day, through_day, close_at, as_of_day, inputs_hash"
            f" from {schema}.build_window"
        )
        return tuple(rows[0])

    def _results(
        self,
        context: dg.AssetExecutionContext,
        run: DbtRun,
        warehouse: Warehouse,
        extra: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Iterator[Event]:
        """Of each asset that was asked for what became of it, and of each check."""
        selected = context.selected_asset_keys
        built = [each for each in run.built() if self.graph.key(each) in selected]
        others = [each for each in run.built() if self.graph.key(each) not in selected]
        if others:
            context.log.info(f"{len(others)} that these are made from were made again, too")
        counts = count_rows(self.graph, built, warehouse)
        compiled = {
            each: run.results[each].node.compiled_code
            for each in built
            if getattr(run.results[each].node, "compiled_code", None)
        }
        reader = LineageReader(self.graph, warehouse, target_folder(run.project))
        lineage = reader.read(compiled)
        last_day = context.partition_key_range.end
        for each in built:
            key = self.graph.key(each)
            # Of a range of days only the last says it: it is the same on each of them.
            if each in lineage:
                context.add_asset_metadata({"dagster/column_lineage": lineage[each]}, key, last_day)
            metadata = {
                **run.metadata(each),
                **({"dagster/row_count": counts[each]} if each in counts else {}),
                **(extra or {}).get(self._name(each), {}),
            }
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)
        for each in run.tested():
            result = run.check_result(each, warehouse)
            check = dg.AssetCheckKey(result.asset_key, result.check_name)
            if check in context.selected_asset_check_keys:
                yield result
            elif not result.passed:
                context.log.error(f"check {result.check_name} failed: {result.metadata}")


def _and_more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""


def _fault_table(faults: list[Fault]) -> dg.MetadataValue:
    columns = ["file", "line", "field", "found", "expected"]
    rows = [(f.file, f.line, f.field, f.found, f.expected) for f in faults]
    return table(columns, rows)


def _tags(changed: changes.Changes) -> dict[str, str]:
    """What the list of runs shows of it."""
    return {
        "tally/closed": str(sum(changed.closed.values())),
        "tally/corrections": str(changed.closed.get("adjustment", 0)),
        "tally/drafts_changed": str(changed.changed_drafts + changed.new_drafts),
    }

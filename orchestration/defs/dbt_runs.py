"""dbt in the process of a run: its parts, its outcome as Dagster's events.

dbt runs in this process, as `tally build` has it: the house is held from the first look to the
last model, the project is parsed once for all parts, and a run that is stopped is a build that was
killed, after which the next one does all that is left.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg

from orchestration.building import FAILED, complete_catalog, invoke_dbt, raise_what_failed
from orchestration.catalog import Source, is_complete
from orchestration.catalog_tables import project_schema
from orchestration.code_version import read_code_version
from orchestration.dbt_commands import Command, Window, build_command
from orchestration.defs.dbt_project import parse
from orchestration.defs.translation import Graph
from orchestration.errors import UserError
from orchestration.house import target_folder
from orchestration.warehouse import Warehouse, quote_identifier

BUILT = ("success", "warn", "pass")
#: How many failing rows a check shows.
SHOWN_ROWS = 20


def whole_command(source: Source, project: Path, target: str | None, window: Window) -> Command:
    """The command of a whole build, as `tally build` has it."""
    catalog = None
    schema = "" if project_schema(project) and not source.schema else None
    if not source.schema and not is_complete(source.folder):
        catalog = complete_catalog(source.folder, target_folder(project))
    command = build_command(project, target, window, catalog, catalog_schema=schema)
    version = os.environ.get("TALLY_CODE_VERSION") or read_code_version(project)
    return replace(command, environment={**command.environment, "TALLY_CODE_VERSION": version})


@dataclass
class DbtRun:
    """One dbt command, and what its nodes came to."""

    graph: Graph
    project: Path
    target: str | None
    fault: str = ""
    results: dict[str, Any] = field(default_factory=dict)

    def run(self, command: Command) -> None:
        """Run it to its end; `fault` is one line if it did not end well."""
        catalog = command.environment.get("TALLY_CATALOG", "")
        manifest = None
        # Where the catalogue is another one or there are vars, dbt parses for itself.
        if not catalog and "--vars" not in command.arguments:
            manifest = parse(self.project, self.target)
        result = invoke_dbt(command, self.project, manifest)
        nodes = getattr(result.result, "results", None) or []
        self.results = {node.node.unique_id: node for node in nodes}
        try:
            raise_what_failed(result, self.project)
        except UserError as fault:
            self.fault = str(fault)

    def built(self) -> list[str]:
        """The seeds and models that it made."""
        return [
            unique_id
            for unique_id, result in self.results.items()
            if unique_id in self.graph.depth and result.status in BUILT
        ]

    def tested(self) -> list[str]:
        """The data tests that it came to."""
        return [
            unique_id
            for unique_id, result in self.results.items()
            if unique_id in self.graph.tests and result.status in (*BUILT, *FAILED)
        ]

    def check_result(self, unique_id: str, warehouse: Warehouse) -> dg.AssetCheckResult:
        """What a data test came to, with the rows that fail it."""
        result = self.results[unique_id]
        has_passed = result.status in BUILT and not result.failures
        metadata: dict[str, Any] = {"failing rows": result.failures or 0}
        if not has_passed:
            metadata["reason"] = " ".join(str(result.message or result.status).split())
            metadata["rows"] = failing_rows(warehouse, result.node.compiled_code or "")
            metadata["query"] = dg.MetadataValue.md(f"```sql\n{result.node.compiled_code}\n```")
        is_warning = result.status == "warn"
        return dg.AssetCheckResult(
            passed=has_passed,
            asset_key=self.graph.key(self.graph.tests[unique_id]),
            check_name=result.node.name,
            metadata=metadata,
            severity=dg.AssetCheckSeverity.WARN if is_warning else dg.AssetCheckSeverity.ERROR,
        )

    def metadata(self, unique_id: str) -> Mapping[str, Any]:
        """What a materialization says beside its rows and columns."""
        result = self.results[unique_id]
        return {"seconds": round(result.execution_time, 2)}


def failing_rows(warehouse: Warehouse, query: str) -> dg.MetadataValue:
    """The first rows of a test's query as a table."""
    if not query:
        return dg.MetadataValue.text("no rows to show")
    try:
        columns, rows = warehouse.query(f"select * from ({query}) as failing limit {SHOWN_ROWS}")
    except Exception as error:
        return dg.MetadataValue.text(f"the rows cannot be read: {' '.join(str(error).split())}")
    return table(columns, rows)


def table(columns: list[str], rows: list[tuple[Any, ...]]) -> dg.MetadataValue:
    """Rows as people read them; an empty one where there are no rows."""
    records = [
        dg.TableRecord({name: _shown(value) for name, value in zip(columns, row, strict=True)})
        for row in rows
    ]
    schema = dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in columns])
    return dg.MetadataValue.table(records=records, schema=schema)


def _shown(value: Any) -> str | int | bool | None:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def count_rows(graph: Graph, built: list[str], warehouse: Warehouse) -> Mapping[str, int]:
    """The rows of what was built, views apart (one of them may read all there is)."""
    tables = [
        unique_id
        for unique_id in built
        if graph.node(unique_id)["config"]["materialized"] != "view"
    ]
    if not tables:
        return {}
    counted = " union all ".join(
        f"select {place} as place, count(*) as row_count from {relation(graph.node(unique_id))}"
        for place, unique_id in enumerate(tables)
    )
    _, rows = warehouse.query(counted)
    return {tables[place]: count for place, count in rows}


def relation(node: Mapping[str, Any]) -> str:
    """A node's table, quoted."""
    return f"{quote_identifier(node['schema'])}.{quote_identifier(node['alias'])}"


def days_of(keys: dg.PartitionKeyRange) -> Iterator[date]:
    """The days of a range of partitions."""
    first, last = date.fromisoformat(keys.start), date.fromisoformat(keys.end)
    return (date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1))

"""Which columns a column is made from, read from the SQL that dbt compiled."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from orchestration.defs.translation import Graph
from orchestration.warehouse import Warehouse

#: (schema, table, column), and the columns of a model that are made from them.
Columns = dict[str, list[tuple[str, str, str]]]
#: Days and instants, which differ between two runs of the same model.
MOMENTS = re.compile(r"'\d{4}-\d{2}-\d{2}[^']*'")


class LineageReader:
    """Column lineage of models; what was read is kept in `folder` while the SQL is the same."""

    def __init__(self, graph: Graph, warehouse: Warehouse, folder: Path) -> None:
        self.graph = graph
        self.kept = folder / "column_lineage.json"
        self.dialect = warehouse.kind
        self.columns: dict[tuple[str, str], dict[str, str]] = {}
        _, rows = warehouse.query(
            "select table_schema, table_name, column_name, data_type"
            " from information_schema.columns"
            " order by table_schema, table_name, ordinal_position"
        )
        for schema, table, column, kind in rows:
            self.columns.setdefault((schema, table), {})[column] = kind

    def read(self, compiled: Mapping[str, str]) -> dict[str, dg.TableColumnLineage]:
        """The lineage of each model (unique id: its SQL); a model that cannot be read has none."""
        kept: dict[str, Columns] = {}
        if self.kept.is_file():
            kept = json.loads(self.kept.read_text(encoding="utf-8"))
        used: dict[str, Columns] = {}
        found = {}
        for unique_id, sql in compiled.items():
            parents = self._parents(unique_id)
            key = self._key(sql, parents)
            used[key] = kept[key] if key in kept else self._trace(sql, parents)
            found[unique_id] = self._as_lineage(unique_id, used[key])
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        self.kept.write_text(json.dumps(kept | used), encoding="utf-8")
        return found

    def _parents(self, unique_id: str) -> dict[tuple[str, str], str]:
        nodes = self.graph.node(unique_id)["depends_on"]["nodes"]
        return {_place(self.graph.node(parent)): parent for parent in nodes}

    def _key(self, sql: str, parents: Mapping[tuple[str, str], str]) -> str:
        shapes = {"|".join(place): self.columns.get(place, {}) for place in parents}
        text = json.dumps([self.dialect, MOMENTS.sub("''", sql), shapes], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _trace(self, sql: str, parents: Mapping[tuple[str, str], str]) -> Columns:
        from sqlglot import MappingSchema, exp
        from sqlglot.errors import SqlglotError
        from sqlglot.lineage import lineage

        schema: dict[str, dict[str, dict[str, str]]] = {}
        for schema_name, table in parents:
            shape = self.columns.get((schema_name, table), {})
            schema.setdefault(schema_name, {})[table] = shape
        try:
            # Two levels: dbt's third, the database, is the same everywhere.
            tree = exp.maybe_parse(sql, dialect=self.dialect)
            for table in tree.find_all(exp.Table):
                table.set("catalog", None)
            mapping = MappingSchema(schema, dialect=self.dialect)
            nodes = lineage(None, tree, mapping, dialect=self.dialect, trim_selects=False)
        except SqlglotError:
            return {}
        return {name.lower(): _leaves(node) for name, node in nodes.items()}

    def _as_lineage(self, unique_id: str, columns: Columns) -> dg.TableColumnLineage:
        parents = self._parents(unique_id)
        return dg.TableColumnLineage(
            {
                name: [
                    dg.TableColumnDep(self.graph.key(parents[(schema, table)]), column)
                    for schema, table, column in leaves
                    if (schema, table) in parents
                ]
                for name, leaves in columns.items()
            }
        )


def _place(node: Mapping[str, Any]) -> tuple[str, str]:
    return node["schema"], node.get("alias") or node["identifier"]


def _leaves(root: Any) -> list[tuple[str, str, str]]:
    """Where the branches of a column's lineage end; one branch may hang on several."""
    from sqlglot import exp

    found: set[tuple[str, str, str]] = set()
    seen: set[int] = set()
    waiting: Sequence[Any] = [root]
    while waiting:
        node, *waiting = waiting
        if id(node) in seen:
            continue
        seen.add(id(node))
        waiting += node.downstream
        if not node.downstream:
            table = node.expression.find(exp.Table)
            if table is not None:
                column = node.name.rpartition(".")[2].strip('"').lower()
                # count(*) is made from rows, not from a column.
                if column != "*":
                    found.add((table.db, table.name, column))
    return sorted(found)

"""dbt's nodes as Dagster's assets: keys by schema, groups by room, and who owns what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator

Node = Mapping[str, Any]


class HouseTranslator(DagsterDbtTranslator):
    """Rooms are groups, and each asset leads to its file."""

    def __init__(self, project: Path) -> None:
        super().__init__()
        self.project = project

    def get_asset_key(self, dbt_resource_props: Node) -> dg.AssetKey:
        node = dbt_resource_props
        if node["resource_type"] == "source":
            return dg.AssetKey([node["source_name"], node["name"]])
        return dg.AssetKey([node["config"]["schema"], node["name"]])

    def get_group_name(self, dbt_resource_props: Node) -> str | None:
        node = dbt_resource_props
        if node["resource_type"] == "seed":
            return "catalog"
        if node["resource_type"] == "source":
            return {"raw": "landing"}.get(node["source_name"], node["source_name"])
        return node["config"].get("group")

    def get_owners(self, dbt_resource_props: Node) -> Sequence[str] | None:
        # The group as _groups.yml has it, which dagster-dbt puts in the place of its name.
        group = dbt_resource_props.get("group")
        owner = group.get("owner", {}) if isinstance(group, Mapping) else {}
        if owner.get("email"):
            return [owner["email"]]
        name = owner.get("name") or "Analytics engineering"
        return [f"team:{name.lower().replace(' ', '-')}"]

    def get_description(self, dbt_resource_props: Node) -> str:
        return (dbt_resource_props.get("description") or "").strip()

    def get_code_version(self, dbt_resource_props: Node) -> str | None:
        return (dbt_resource_props.get("checksum") or {}).get("checksum")

    def get_metadata(self, dbt_resource_props: Node) -> Mapping[str, Any]:
        file = self.project / dbt_resource_props["original_file_path"]
        link = dg.LocalFileCodeReference(file_path=str(file), line_number=1)
        return {
            **super().get_metadata(dbt_resource_props),
            "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[link]),
        }


class Graph:
    """The project's nodes, and what Dagster calls them."""

    def __init__(self, manifest: Mapping[str, Any], project: Path) -> None:
        self.manifest = manifest
        self.translator = HouseTranslator(project)
        self.nodes: Mapping[str, Node] = manifest["nodes"]

    @cached_property
    def built(self) -> list[str]:
        """The unique ids of all seeds and models."""
        return sorted(
            unique_id
            for unique_id, node in self.nodes.items()
            if node["resource_type"] in ("seed", "model")
        )

    @cached_property
    def closing(self) -> frozenset[str]:
        """Those that a close makes: the seal and all that comes of it."""
        found = {next(id for id in self.built if id.endswith(".int_invoicing__seal"))}
        waiting = list(found)
        while waiting:
            more = set(self.manifest["child_map"].get(waiting.pop(), ())) & set(self.built)
            waiting += more - found
            found |= more
        return frozenset(found)

    @cached_property
    def depth(self) -> Mapping[str, int]:
        """How many steps each node is from the beginning."""
        depths: dict[str, int] = {}

        def measure(unique_id: str) -> int:
            if unique_id not in depths:
                parents = self.manifest["parent_map"].get(unique_id, ())
                depths[unique_id] = 1 + max((measure(parent) for parent in parents), default=0)
            return depths[unique_id]

        for unique_id in self.built:
            measure(unique_id)
        return depths

    def key(self, unique_id: str) -> dg.AssetKey:
        """The asset of a node."""
        return self.translator.get_asset_key(self.node(unique_id))

    def node(self, unique_id: str) -> Node:
        return self.nodes.get(unique_id) or self.manifest["sources"][unique_id]

    def spec(self, unique_id: str) -> dg.AssetSpec:
        """The asset, with the kind of table that dbt makes of it."""
        spec = self.translator.get_asset_spec(self.manifest, unique_id, None)
        node = self.node(unique_id)
        kind = "seed" if node["resource_type"] == "seed" else node["config"].get("materialized")
        return spec.replace_attributes(kinds={*spec.kinds, *([kind] if kind else [])})

    def ledger_specs(self) -> list[dg.AssetSpec]:
        """What no model owns: the ledger, and the log of runs. Shown, and made by nobody here."""
        return [
            self.translator.get_asset_spec(self.manifest, unique_id, None)
            for unique_id, source in sorted(self.manifest["sources"].items())
            if source["source_name"] != "raw"
        ]

    @cached_property
    def tests(self) -> Mapping[str, str]:
        """Each data test, and the node that it is a check of.

        Of a test that looks at several: the last that is made. What looks at the ledger alone is a
        check of the run as a whole.
        """
        window = next(id for id in self.built if id.endswith(".build_window"))
        found = {}
        for unique_id, node in self.nodes.items():
            if node["resource_type"] == "test":
                made = [each for each in node["depends_on"]["nodes"] if each in self.depth]
                last = max(made, key=lambda each: (self.depth[each], each), default=window)
                owner = node.get("attached_node")
                found[unique_id] = owner if owner in self.depth else last
        return found

    def check_spec(self, unique_id: str) -> dg.AssetCheckSpec:
        """A data test as an asset check: nothing is made from what fails it."""
        node = self.nodes[unique_id]
        return dg.AssetCheckSpec(
            name=node["name"],
            asset=self.key(self.tests[unique_id]),
            description=node.get("description") or _first_comment(node["raw_code"]) or None,
            blocking=node["config"].get("severity", "ERROR").upper() == "ERROR",
        )


def _first_comment(sql: str) -> str:
    """What a test says of itself in the comment that it begins with."""
    text = sql.strip()
    if text.startswith("{#"):
        return " ".join(text[2:].partition("#}")[0].split())
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(lines)

"""Which worker runs what: files that share houses run in one worker, those that take long first.

pytest-xdist's own `--dist loadgroup` writes the group of a test into its node id, which pytest 9.2
no longer lets it do: each worker would build each house.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

#: Files that share houses of tests/conftest.py, those that take longest first. A file that is not
#: named is a group of its own, after them.
GROUPS = {
    "world": (
        "test_oracle",
        "test_usage_views",
        "test_catalog_tables",
        "test_engines_agree",
        "test_no_float",
    ),
    "scenario": (
        "test_ledger",
        "test_outbox",
        "test_simulate",
        "test_preview",
        "test_crash",
        "test_published",
        "test_side_house",
        "test_cli",
        "test_data_tests",
        "test_unit_tests",
    ),
    "order": ("test_order",),
    "dagster_ui": ("test_dagster_ui",),
    "dagster": ("test_dagster",),
    "corrections": ("test_corrections", "test_replay"),
    "late_catalog": ("test_late_catalog",),
    "actions": ("test_actions",),
    "entitlements": ("test_entitlements",),
    "allowances": ("test_allowances",),
    "levels": ("test_levels",),
    "demo": ("test_demo",),
}
GROUP_OF = {file: group for group, files in GROUPS.items() for file in files}
PLACES = {group: place for place, group in enumerate(GROUPS)}


def group_of(node_id: str) -> str:
    """The group of a test: that of its file."""
    file = node_id.partition("::")[0].rpartition("/")[2].removesuffix(".py")
    return GROUP_OF.get(file, file)


def place_of(node_id: str) -> int:
    """When a test's group is handed out."""
    return PLACES.get(group_of(node_id), len(PLACES))


class HouseScheduling(LoadScopeScheduling):
    """Groups as `group_of` has them, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)

"""The house as a resource: which target it is on, and where its catalogue lies."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from orchestration.catalog import Source, choose_source
from orchestration.catalog_files import Fault
from orchestration.defs.dbt_project import PROJECT
from orchestration.house import project_variable
from orchestration.sole_build import WAIT, connect_when_free, sole_build
from orchestration.warehouse import Warehouse, connect, has_warehouse


class House(dg.ConfigurableResource):
    """The warehouse that dbt's profile names, for one build at a time.

    `target` is an output of profiles.yml, blank its own; `wait` is how long a run waits for a build
    or a landing that somebody else has under way, in seconds.
    """

    target: str = ""
    wait: float = WAIT

    @property
    def project(self) -> Path:
        return PROJECT

    @property
    def target_name(self) -> str | None:
        return self.target or None

    @property
    def schema_prefix(self) -> str:
        return project_variable(PROJECT, "schema_prefix")

    @property
    def source(self) -> Source:
        """Where the project says that its catalogue is."""
        return choose_source(Namespace(catalog=None, catalog_schema=None), PROJECT)

    def catalog_faults(self) -> list[Fault]:
        """What is wrong with the catalogue, in itself or beside what closes have seen of it."""
        source = self.source
        return source.check(self.target_name) or source.check_archive(self.target_name)

    @contextmanager
    def alone(self) -> Iterator[Warehouse]:
        """The house for this process, while the block runs."""
        with sole_build(self.target_name, self.wait, self.schema_prefix) as warehouse:
            yield warehouse

    @contextmanager
    def landing(self) -> Iterator[Warehouse]:
        """The house to land in; builds of PostgreSQL go on beside it."""
        with connect_when_free(self.target_name, self.wait) as warehouse:
            yield warehouse

    @contextmanager
    def reading(self) -> Iterator[Warehouse]:
        """The house to look at."""
        with connect(self.target_name, read_only=True) as warehouse:
            yield warehouse

    def exists(self) -> bool:
        """Whether there is a warehouse to look at yet."""
        return has_warehouse(self.target_name)

"""A module run as `python -m` would, on the project as another house of the tests has parsed it.

dbt parses the whole project for each new house, seconds of a processor, as the place of the
warehouse and of the catalogue are others. All that what it parsed says of them is the name of the
database and the path of the catalogue: where these are as long as those of an earlier house, they
are put in their place, and dbt reads what differs, the files of the catalogue.

    python -m tests.parsed_project orchestration.cli build --target duckdb
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

#: The file in which a house leaves what dbt has parsed for those to come, after a line of its own
#: texts (`database:catalogue`); without it nothing is kept.
KEPT = "TALLY_TEST_PARSED"
OWN_TEXTS = "TALLY_TEST_PARSED_TEXTS"
#: With these dbt parses the project otherwise.
OTHERWISE = {"--vars", "--catalog-schema", "--full"}


def ignore_the_place() -> None:
    """Let dbt take what was parsed for another warehouse and another folder of the catalogue."""
    from dbt.contracts.files import FileHash
    from dbt.parser.manifest import ManifestLoader

    check_all = ManifestLoader.build_manifest_state_check

    def check(loader: ManifestLoader):
        state = check_all(loader)
        state.profile_hash = state.project_env_vars_hash = FileHash.from_contents("")
        return state

    ManifestLoader.build_manifest_state_check = check


def take(kept: Path, parsed: Path, texts: str) -> None:
    """Make what an earlier house kept this house's own, if its texts are as long."""
    if parsed.exists() or not kept.exists():
        return
    earlier, _, content = kept.read_bytes().partition(b"\n")
    for was, now in zip(earlier.split(b":"), texts.encode().split(b":"), strict=True):
        if len(was) != len(now):
            return
        if was:
            content = content.replace(was, now)
    parsed.parent.mkdir(parents=True, exist_ok=True)
    parsed.write_bytes(content)


def leave(kept: Path, parsed: Path, texts: str) -> None:
    """Keep what this house has parsed, if none has."""
    if parsed.exists() and not kept.exists():
        own = kept.with_suffix(f".{os.getpid()}")
        own.write_bytes(texts.encode() + b"\n" + parsed.read_bytes())
        own.replace(kept)


def main() -> None:
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    ignore_the_place()
    kept, texts = Path(os.environ[KEPT]), os.environ[OWN_TEXTS]
    parsed = Path(os.environ["DBT_TARGET_PATH"]) / "partial_parse.msgpack"
    if OTHERWISE.isdisjoint(arguments):
        take(kept, parsed, texts)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        if OTHERWISE.isdisjoint(arguments):
            leave(kept, parsed, texts)


if __name__ == "__main__":
    main()

"""Where the real usage data are: read in place, never copied into the project."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = (
    "servegen/windows_10min.csv.gz",
    "servegen/blocks_6h.csv.gz",
    "helios/gpus_by_minute_2020-05.csv.gz",
    "focus/focus_sample.csv",
)


class DataMissing(Exception):
    """The data are not there; the message is one line for a person."""


def find_data() -> Path:
    """The folder `data` of the one that TALLY_SHARED names, else of `shared` beside the checkout.

    Raises DataMissing when a file is not there.
    """
    named = os.environ.get("TALLY_SHARED")
    roots = [Path(named)] if named else [one / "shared" for one in HERE.parents]
    for root in roots:
        if all((root / "data" / name).is_file() for name in FILES):
            return root / "data"
    where = f"in {named}/data" if named else "in ../shared/data beside the checkout"
    raise DataMissing(
        f"the real usage data are not {where} (expected {', '.join(FILES)}); "
        "TALLY_SHARED names the folder that holds data/"
    )

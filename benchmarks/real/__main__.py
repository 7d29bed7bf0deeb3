"""`make real`: three real data sets, from their files to invoices, compared with their sources.

Exit code 0 when everything is equal, 1 when something is not, 2 where the data are not there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.real.checks import table
from benchmarks.real.road import DATA_SETS, travel
from benchmarks.real.sources import DataMissing, find_data


def main(words: list[str] | None = None) -> int:
    """Run the data sets that are named (default: all) and print a table of each."""
    parser = argparse.ArgumentParser(prog="make real", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(DATA_SETS)}")
    parser.add_argument("--target", choices=("duckdb", "postgres"), default="duckdb")
    arguments = parser.parse_args(words)
    unknown = [name for name in arguments.names if name not in DATA_SETS]
    if unknown:
        parser.error(f"no data set {unknown[0]}; there are {', '.join(DATA_SETS)}")
    try:
        data = find_data()
    except DataMissing as fault:
        print(f"real: {fault}", file=sys.stderr)
        return 2
    started = time.monotonic()
    is_ok = True
    with tempfile.TemporaryDirectory(prefix="tally_real_") as folder:
        for name in arguments.names or DATA_SETS:
            result = travel(name, arguments.target, data, Path(folder))
            is_ok = is_ok and result.is_ok
            print("\n".join(table(result)))
            seconds = ", ".join(f"{part} {value:.1f} s" for part, value in result.seconds.items())
            print(f"{seconds}\n", flush=True)
    verdict = "all equal" if is_ok else "NOT all equal"
    print(f"real, {arguments.target}: {verdict}, {time.monotonic() - started:.0f} s in all")
    return 0 if is_ok else 1


if __name__ == "__main__":
    sys.exit(main())

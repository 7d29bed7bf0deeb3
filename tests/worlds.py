"""Where a random world and its oracle come from, in the shapes that the tests use."""

from __future__ import annotations

import os
from functools import cache

SEED = int(os.environ.get("TALLY_WORLD_SEED", "20261101"))
ACCOUNTS = int(os.environ.get("TALLY_WORLD_ACCOUNTS", "200"))


@cache
def random_world():
    """(catalog, raw_rows, as_of_day) of this run's seed."""
    from tests.strategies import world

    return world(SEED, ACCOUNTS)

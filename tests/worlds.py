"""Where the random worlds and their oracle come from, in the shapes that the tests use."""

from __future__ import annotations

import os
from functools import cache

#: The default worlds lie around Apia's lost day, Sao Paulo's midnight changes and a leap day.
SEEDS = tuple(
    int(seed)
    for seed in os.environ.get("TALLY_WORLD_SEED", "20261101,20261100,20261102").split(",")
)
ACCOUNTS = int(os.environ.get("TALLY_WORLD_ACCOUNTS", "300"))


@cache
def random_world(seed: int = SEEDS[0]):
    """(catalog, raw_rows, as_of_day) of a seed."""
    from tests.strategies import world

    return world(seed, ACCOUNTS)


@cache
def oracle_bill(seed: int = SEEDS[0]):
    """What the oracle bills in the world of a seed."""
    from tests.oracle import bill

    return bill(*random_world(seed))

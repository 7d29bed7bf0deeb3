"""Great Expectations without what it imports for expectations that nobody has here.

Of the seven seconds of processor that importing it takes, two are SciPy's statistics and Altair's
charts, which serve distribution tests alone. They are imported when something asks for them.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

DEFERRED = ("scipy.stats", "altair")


class _Deferred(ModuleType):
    """Stands for a module until something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)


def import_great_expectations() -> Any:
    """The package; others who import what is deferred get it whole."""
    standing = {name: _Deferred(name) for name in DEFERRED if name not in sys.modules}
    sys.modules.update(standing)
    try:
        import great_expectations
        from great_expectations import expectations  # noqa: F401 (the part that needs them)
    finally:
        for name in standing:
            sys.modules.pop(name, None)
    return great_expectations

"""The oracle: a second, naive implementation of the billing rules in plain Python.

It shares no code with the project and knows no SQL: event by event, with fractions and the pinned
tzdata wheel. `bill` returns everything that a build through one day must produce.
Rules: DESIGN.md section 3; the docstrings name the paragraph.
"""

from .bill import Bill, bill
from .catalog import load_catalog
from .invoices import Invoice, Line

__all__ = ["Bill", "Invoice", "Line", "bill", "load_catalog"]

"""Scenarios of commercial terms, each with every line that it is billed, computed by hand."""

from tests.terms import fees, prices, reductions, usage
from tests.terms.builder import SCENARIOS, Line, Terms

__all__ = ["SCENARIOS", "Line", "Terms", "fees", "prices", "reductions", "usage"]

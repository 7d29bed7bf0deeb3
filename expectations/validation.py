"""Great Expectations on the frames of a house: what was found, expectation by expectation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from expectations.apart import Frame
from expectations.frames import FRAMES
from expectations.light_import import import_great_expectations
from expectations.reading import Reader, Row, Span, read_span
from expectations.suites import SUITES, Expectation, Suite
from orchestration.warehouse import Warehouse


@dataclass(frozen=True)
class Found:
    """What an expectation came to: the rows that fail it, and how many were looked at."""

    suite: Suite
    expectation: Expectation
    has_passed: bool
    row_count: int
    failing: Sequence[Row]
    fault: str = ""

    def reason(self) -> str:
        """Why it failed, on one line; blank if it did not."""
        if self.has_passed:
            return ""
        if self.fault:
            return f"{self.expectation.name}: {self.fault}"
        first = self.failing[0]
        where = ", ".join(f"{name} {first[name]}" for name in self.suite.keys if first.get(name))
        more = f" (and {len(self.failing) - 1} more)" if len(self.failing) > 1 else ""
        column = self.expectation.column
        return f"{where}: {column} is {first[column]}, expected {self.bounds()}{more}"

    def bounds(self) -> str:
        """What was expected, in words."""
        each = self.expectation
        if each.one_of is not None:
            return " or ".join(map(str, each.one_of))
        if each.at_least is None:
            return f"at most {each.at_most}"
        if each.at_most is None:
            return f"at least {each.at_least}"
        return f"{each.at_least} to {each.at_most}"


def validate(
    warehouse: Warehouse,
    prefix: str = "",
    suites: Sequence[Suite] = SUITES,
    context: Any = None,
    span: Span | None = None,
) -> Iterator[Found]:
    """Each expectation of the suites on the house as it stands.

    `context` is of Great Expectations, for who wants its documents; without it one that is
    forgotten.
    """
    return check_frames(read_frames(warehouse, prefix, suites, span), context)


def read_frames(
    warehouse: Warehouse,
    prefix: str = "",
    suites: Sequence[Suite] = SUITES,
    span: Span | None = None,
) -> list[Frame]:
    """What the suites look at, read from the house as it stands."""
    reader = Reader(warehouse, prefix, span or read_span(warehouse, prefix))
    return [(suite, FRAMES[suite.frame](reader)) for suite in suites]


def check_frames(frames: Iterable[Frame], context: Any = None) -> Iterator[Found]:
    """Each expectation of each suite on the rows that it looks at."""
    context = context or make_context()
    source = context.data_sources.add_pandas("house")
    for suite, rows in frames:
        definition = _define(context, source, suite)
        yield from _validate_suite(definition, suite, rows)


def make_context() -> Any:
    """A context of Great Expectations that keeps nothing and tells nobody."""
    gx = import_great_expectations()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context


def as_expectation(expectation: Expectation) -> Any:
    """An expectation of ours in Great Expectations' own words."""
    from great_expectations import expectations as gxe

    meta = {"name": expectation.name}
    if expectation.one_of is not None:
        return gxe.ExpectColumnValuesToBeInSet(
            column=expectation.column,
            value_set=list(expectation.one_of),
            notes=expectation.says,
            meta=meta,
        )
    return gxe.ExpectColumnValuesToBeBetween(
        column=expectation.column,
        min_value=expectation.at_least,
        max_value=expectation.at_most,
        notes=expectation.says,
        meta=meta,
    )


def _define(context: Any, source: Any, suite: Suite) -> Any:
    import great_expectations as gx

    batch = source.add_dataframe_asset(suite.name).add_batch_definition_whole_dataframe("all")
    stated = context.suites.add(
        gx.ExpectationSuite(
            name=suite.name, expectations=[as_expectation(each) for each in suite.expectations]
        )
    )
    return context.validation_definitions.add(
        gx.ValidationDefinition(name=suite.name, data=batch, suite=stated)
    )


def _validate_suite(definition: Any, suite: Suite, rows: Sequence[Row]) -> Iterator[Found]:
    result = definition.run(
        batch_parameters={"dataframe": _as_frame(suite, rows)},
        result_format={
            "result_format": "COMPLETE",
            "unexpected_index_column_names": ["row"],
        },
    )
    by_name = {each.expectation_config.meta["name"]: each for each in result.results}
    for expectation in suite.expectations:
        found = by_name[expectation.name]
        places = [each["row"] for each in found.result.get("unexpected_index_list") or []]
        raised = (found.exception_info or {}).get("exception_message") or ""
        yield Found(
            suite,
            expectation,
            bool(found.success),
            len(rows),
            [rows[int(place)] for place in places],
            "" if found.success or places else " ".join(raised.split()) or "it cannot be told",
        )


def _as_frame(suite: Suite, rows: Sequence[Row]) -> Any:
    """The looked-at columns as a dataframe; `row` leads back to what the row is."""
    import pandas as pd

    frame: dict[str, Any] = {"row": pd.Series(range(len(rows)), dtype="int64")}
    for expectation in suite.expectations:
        values = [_plain(row[expectation.column]) for row in rows]
        kind = "object" if expectation.one_of is not None else "float64"
        frame[expectation.column] = pd.Series(values, dtype=kind)
    return pd.DataFrame(frame)


def _plain(value: Any) -> Any:
    return math.nan if value is None else value


def by_asset(found: Sequence[Found]) -> Mapping[tuple[str, str], list[Found]]:
    """What was found, by the asset that it is a check of."""
    grouped: dict[tuple[str, str], list[Found]] = {}
    for each in found:
        grouped.setdefault(each.suite.asset, []).append(each)
    return grouped

"""What Great Expectations says of a run before its close: asset checks, and the gate itself."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import dagster as dg

from expectations.apart import Apart, Frame
from expectations.suites import SUITES, Expectation, Suite
from expectations.validation import Found, check_frames, read_frames, validate
from orchestration.defs.dbt_runs import SHOWN_ROWS, table
from orchestration.defs.partitions import POOL
from orchestration.defs.resources import House
from orchestration.ledger import has_table
from orchestration.warehouse import Warehouse

#: The last asset before a close, and its check that sums up all expectations. Only this one blocks
#: for Dagster: a blocking check of an asset in the midst of a part would have it made in pieces.
LAST_ASSET = dg.AssetKey(["invoicing", "int_invoicing__closes"])
SUMMARY = "what_is_expected_is_met"


class Gate:
    """Which runs' windows have met what is expected; kept while the process of the run lives."""

    passed: ClassVar[dict[str, tuple[Any, ...]]] = {}
    #: Processes that import Great Expectations meanwhile, by run.
    _apart: ClassVar[dict[str, Apart]] = {}

    @classmethod
    def prepare(cls, run_id: str) -> None:
        """The run is going to look at what is expected, once dbt is done."""
        cls._apart[run_id] = Apart()

    @classmethod
    @contextmanager
    def checking(cls, run_id: str) -> Iterator[Callable[[Sequence[Frame]], Iterator[Found]]]:
        """What looks at frames: a process that was prepared, else this one."""
        apart = cls._apart.pop(run_id, None)
        try:
            yield apart.check if apart else check_frames
        finally:
            if apart:
                apart.end()

    @classmethod
    def dismiss(cls, run_id: str) -> None:
        """The run looks at nothing after all."""
        with cls.checking(run_id):
            pass

    @classmethod
    def open(cls, run_id: str, build_window: tuple[Any, ...]) -> None:
        """All blocking expectations are met by what the run has made so far."""
        cls.passed[run_id] = build_window

    @classmethod
    def require(
        cls,
        run_id: str,
        warehouse: Warehouse,
        prefix: str,
        build_window: tuple[Any, ...],
        say: Callable[[str], None],
    ) -> None:
        """Raises dg.Failure unless expectations are met; looks now if nobody has looked yet."""
        if cls.passed.get(run_id) == build_window:
            return
        say("looking at what is expected before the close")
        for found in validate(warehouse, prefix):
            if not found.has_passed and found.expectation.is_blocking:
                raise dg.Failure(
                    f"nothing is closed: {found.expectation.name}: {found.reason()}",
                    metadata={"rows": _rows(found)},
                )
        cls.open(run_id, build_window)


def expectation_checks(
    read_window: Callable[[Warehouse, House], tuple[Any, ...]],
) -> dg.AssetChecksDefinition:
    """All suites as asset checks, in one look at the house."""

    @dg.multi_asset_check(
        name="expectations",
        specs=[
            *(_spec(suite, each) for suite in SUITES for each in suite.expectations),
            dg.AssetCheckSpec(
                SUMMARY,
                asset=LAST_ASSET,
                description="No expectation that may stop a close is unmet.",
                blocking=True,
            ),
        ],
        can_subset=True,
        pool=POOL,
        description="What a person reading the tables would find odd, before anything is closed.",
    )
    def expectations(
        context: dg.AssetCheckExecutionContext, house: House
    ) -> Iterator[dg.AssetCheckResult]:
        selected = context.selected_asset_check_keys
        is_whole = dg.AssetCheckKey(LAST_ASSET, SUMMARY) in selected
        suites = [
            suite
            for suite in SUITES
            if is_whole or any(_key(suite, each) in selected for each in suite.expectations)
        ]
        if not house.exists():
            return
        with Gate.checking(context.run.run_id) as check, house.reading() as warehouse:
            if not is_built(warehouse, house.schema_prefix):
                context.log.info("nothing has been built yet: there is nothing to look at")
                return
            reasons = {}
            for found in check(read_frames(warehouse, house.schema_prefix, suites)):
                if not found.has_passed and found.expectation.is_blocking:
                    reasons[found.expectation.name] = found.reason()
                if _key(found.suite, found.expectation) in selected:
                    yield _result(found)
            if not is_whole:
                return
            if not reasons:
                Gate.open(context.run.run_id, read_window(warehouse, house))
            yield dg.AssetCheckResult(
                passed=not reasons,
                asset_key=LAST_ASSET,
                check_name=SUMMARY,
                metadata={"unmet": len(reasons), **reasons},
            )

    return expectations


def is_built(warehouse: Warehouse, prefix: str) -> bool:
    """Whether a run has come as far as lines: before, there is nothing to look at."""
    tables = (("builds", "build_window"), ("marts", "rated_lines"))
    return all(has_table(warehouse, f"{prefix}{schema}", name) for schema, name in tables)


def _key(suite: Suite, expectation: Expectation) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(dg.AssetKey(suite.asset), expectation.name)


def _spec(suite: Suite, expectation: Expectation) -> dg.AssetCheckSpec:
    effect = "stops the close" if expectation.is_blocking else "warns"
    return dg.AssetCheckSpec(
        expectation.name,
        asset=dg.AssetKey(suite.asset),
        description=f"{expectation.says} (Great Expectations, suite {suite.name}; {effect})",
    )


def _result(found: Any) -> dg.AssetCheckResult:
    is_blocking = found.expectation.is_blocking
    metadata: dict[str, Any] = {"looked at": found.row_count, "failing rows": len(found.failing)}
    if not found.has_passed:
        metadata["reason"] = found.reason()
        metadata["expected"] = found.bounds()
        metadata["rows"] = _rows(found)
    return dg.AssetCheckResult(
        passed=found.has_passed,
        asset_key=dg.AssetKey(found.suite.asset),
        check_name=found.expectation.name,
        severity=dg.AssetCheckSeverity.ERROR if is_blocking else dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def _rows(found: Any) -> dg.MetadataValue:
    rows = list(found.failing)[:SHOWN_ROWS]
    columns = list(rows[0]) if rows else list(found.suite.keys)
    return table(columns, [tuple(row.get(name) for name in columns) for row in rows])

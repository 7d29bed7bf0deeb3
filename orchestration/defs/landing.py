"""Landing as an asset: raw usage, upstream of everything, and the check that all of it is there."""

from collections import Counter
from collections.abc import Iterator

import dagster as dg

from orchestration.defs.dbt_runs import days_of, table
from orchestration.defs.landing_folder import LandingFolder, land_files
from orchestration.defs.partitions import DAYS, ONE_RUN, POOL
from orchestration.defs.resources import House

EVENTS = dg.AssetKey(["raw", "usage_events"])
LOADS = dg.AssetKey(["raw", "loads"])
CHECK = "files_are_landed"
DESCRIPTIONS = {
    EVENTS: "One row per record of a landed file, as it came. Append-only.",
    LOADS: "One row per landed file, named by its content: a file landed twice is landed once.",
}


def landing_assets() -> dg.AssetsDefinition:
    """Raw usage of a day, from the files of the landing folder."""

    @dg.multi_asset(
        name="land_files",
        specs=[
            dg.AssetSpec(
                key,
                description=description,
                group_name="landing",
                owners=["team:analytics-engineering"],
                kinds={"file", "table"},
                skippable=True,
            )
            for key, description in DESCRIPTIONS.items()
        ],
        check_specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=EVENTS,
                description="Every file of the day was landed: a bill without one is wrong.",
                blocking=True,
            )
        ],
        partitions_def=DAYS,
        backfill_policy=ONE_RUN,
        pool=POOL,
    )
    def land_usage(
        context: dg.AssetExecutionContext, house: House
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        folder = LandingFolder.from_variables()
        days = list(days_of(context.partition_key_range))
        with house.landing() as warehouse:
            results = land_files(folder, days, warehouse)
        for result in results:
            (context.log.error if result.error else context.log.info)(result.summary())
        landed = [each for each in results if each.load_id and not each.already_landed]
        refused = [each for each in results if each.error]
        counts = Counter(
            "refused" if each.error else "landed before" if each.already_landed else "landed"
            for each in results
        )
        metadata = {"folder": folder.url, "files": dict(counts)}
        yield dg.MaterializeResult(
            asset_key=EVENTS,
            metadata={**metadata, "rows landed": sum(each.rows for each in landed)},
        )
        yield dg.MaterializeResult(asset_key=LOADS, metadata=metadata)
        rows = [(each.file, each.error) for each in refused]
        yield dg.AssetCheckResult(
            asset_key=EVENTS,
            check_name=CHECK,
            passed=not refused,
            metadata={
                "files": len(results),
                "failing rows": len(refused),
                **({"reason": refused[0].summary()} if refused else {}),
                "rows": table(["file", "reason"], rows),
            },
        )

    return land_usage

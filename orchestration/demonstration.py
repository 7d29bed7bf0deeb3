"""`tally demo`: three months of an AI API business landed, built, and summed up."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from orchestration.building import build_from
from orchestration.catalog import choose_source
from orchestration.dbt_commands import Window
from orchestration.errors import UserError
from orchestration.house import find_project, project_variable, shorten
from orchestration.marts import Marts, grouped, grouped_money
from orchestration.sole_build import connect_when_free, sole_build
from orchestration.terminal import make_console

FOLDER = Path(".tally") / "demo"
BIGGEST = 5


def land_demo(files: list[tuple[Path, object]], target: str | None) -> None:
    """Land each file at its own load time. Raises UserError for the first that cannot be."""
    from orchestration.landing import land

    with connect_when_free(target) as warehouse:
        for path, loaded_at in files:
            for result in land([path], loaded_at=loaded_at, warehouse=warehouse):
                if result.error:
                    raise UserError(result.summary())


def print_summary(target: str | None) -> None:
    """Deliveries, invoices, totals by currency, the biggest customers, and what to try."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    console = make_console()
    with Marts(target) as marts:
        loads = marts.rows(
            "select sum(landed_count) as landed, sum(accepted_count) as accepted, "
            "sum(duplicate_count) as duplicate, sum(rejected_count) as rejected from marts.loads"
        )[0]
        totals = marts.rows(
            """
            select
                currency,
                count(*) as invoice_count,
                sum(case when status = 'final' then 1 else 0 end) as final_count,
                sum(case when status = 'final' then invoice_total else 0 end) as final_total,
                sum(case when status = 'draft' then invoice_total else 0 end) as draft_total
            from marts.invoices
            group by currency
            order by currency
            """
        )
        biggest = marts.rows(
            f"""
            select customer_id, customer_name, currency, sum(invoice_total) as customer_total
            from marts.invoices
            where currency = 'USD'
            group by customer_id, customer_name, currency
            order by customer_total desc, customer_id
            limit {BIGGEST}
            """
        )
        example = marts.rows(
            "select invoice_id, invoice_number, customer_id, line_count from marts.invoices "
            "where status = 'final' order by line_count desc, invoice_total desc, invoice_id "
            "limit 1"
        )
        console.print(
            f"[bold]Events[/bold]    {grouped(loads['landed'])} landed: "
            f"{grouped(loads['accepted'])} accepted, {grouped(loads['duplicate'])} duplicate, "
            f"{grouped(loads['rejected'])} rejected"
        )
        count = sum(row["invoice_count"] for row in totals)
        final = sum(row["final_count"] for row in totals)
        console.print(
            f"[bold]Invoices[/bold]  {grouped(count)}: {grouped(final)} final, "
            f"{grouped(count - final)} draft"
        )
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in ("Currency", "Invoices", "Final", "Draft"):
            table.add_column(name, justify="left" if name == "Currency" else "right")
        for row in totals:
            exponent = marts.exponent(row["currency"])
            table.add_row(
                row["currency"],
                grouped(row["invoice_count"]),
                grouped_money(row["final_total"], exponent),
                grouped_money(row["draft_total"], exponent),
            )
        console.print(table)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("Biggest customers in USD")
        table.add_column("Total", justify="right")
        for row in biggest:
            table.add_row(
                escape(f"{row['customer_name']} ({row['customer_id']})"),
                grouped_money(row["customer_total"], marts.exponent(row["currency"])),
            )
        console.print(table)
    if example:
        shown = example[0]
        tally = ".venv/bin/tally"
        console.print("[bold]What to try next[/bold]")
        console.print(f"  {tally} invoice {shown['invoice_number']}")
        console.print(f"  {tally} invoice --customer {shown['customer_id']}")
        console.print(f"  {tally} explain '{shown['invoice_id']}#1'")
        console.print(
            "  change a price in seeds/catalog/prices.csv, then "
            f"{tally} build, and look at the invoice again"
        )


def run_demo(arguments: argparse.Namespace) -> int:
    """Make, land and build the demo in the target's warehouse; running it again adds nothing."""
    from orchestration.demo import generate

    started = time.monotonic()
    project = find_project()
    console = make_console()
    folder = project / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    files = generate(folder)
    land_demo(files, arguments.target)
    console.print(
        f"Landed {len(files)} files from {shorten(folder)} in {time.monotonic() - started:.1f} s"
    )
    source = choose_source(arguments, project)
    with sole_build(arguments.target, schema_prefix=project_variable(project, "schema_prefix")):
        outcome = build_from(source, project, arguments.target, Window())
    console.print(str(outcome))
    print_summary(arguments.target)
    return 0

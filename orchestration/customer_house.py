"""One customer's house in a file of its own: their raw usage, catalogue rows and closed documents.

Both engines agree byte for byte, so what is built there is what the warehouse would come to,
and nothing is written to the warehouse. It is used once and thrown away.
"""

from __future__ import annotations

import csv
import fcntl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import yaml

from orchestration.archive import row_text, rows_of_customers
from orchestration.building import run_dbt
from orchestration.catalog_files import COLUMNS, Catalog
from orchestration.dbt_commands import Window, draft_command
from orchestration.errors import UserError
from orchestration.house import target_folder
from orchestration.landing import raw_table
from orchestration.ledger import BEGINNING, has_ledger, has_table, ledger_table, sealed_until
from orchestration.warehouse import Warehouse, quote_identifier

#: Rows of the warehouse that are carried over at a time.
BATCH = 50_000
#: What of a closed house is read: the documents of the customer, and what numbers them.
OF_CUSTOMER = ("documents", "lines")
#: Of credits: what says which rows are theirs, and in which table their customer stands beside it.
OF_THEIRS = {
    "credit_entries": ("entry_id", "credit_entries"),
    "credit_vectors": ("rated_line_id", "lines"),
    "credit_steps": ("rated_line_id", "credit_entries"),
    "credit_balances": ("grant_id", "credit_entries"),
}
OF_ALL = ("closes", "seals")
OF_ONE = "where customer_id = ?"


def customer_catalog(catalog: Catalog, customer: str) -> Catalog:
    """The rows of `catalog` that can bear on the bills of one customer.

    Customers do not share anything: allowances are pooled among the subscriptions of one.
    """
    own = rows_of_customers(
        {name: [r.values for r in catalog[name]] for name in COLUMNS}, [customer]
    )
    kept = {id(values) for rows in own.values() for values in rows}
    return Catalog({name: [r for r in catalog[name] if id(r.values) in kept] for name in COLUMNS})


@dataclass
class CustomerHouse:
    """Made by `open_customer_house`. `first_open_day` is the first load day that is not sealed.

    The house stands as known at the end of `through_day`; what is cut off at the beginning of
    `as_of_day` or before is closed, everything later is a draft.
    """

    project: Path
    folder: Path
    customer: str
    as_of_day: date
    through_day: date

    @property
    def path(self) -> Path:
        return self.folder / "house.duckdb"

    @property
    def close_at(self) -> datetime:
        """The midnight up to which documents are closed."""
        return datetime.combine(self.as_of_day, datetime.min.time())

    def build(self, catalog: Catalog, changed: Iterable[str] = ()) -> None:
        """Make drafts under `catalog`; what only `changed` files bear on, if any are named.

        Raises UserError when dbt fails, and where the warehouse has a close to make before.
        """
        folder = self.folder / "catalog"
        folder.mkdir(exist_ok=True)
        for name, columns in COLUMNS.items():
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(columns)
                writer.writerows(row.key(*columns) for row in catalog[name])
        window = Window(through_day=self.through_day, open_day=self.as_of_day)
        run_dbt(draft_command(self.project, self.folder, window, folder, changed), self.project)
        with self.connect() as built:
            _, ((stop_day,),) = built.query("select stop_day from builds.build_window")
        if stop_day is not None:
            raise UserError(
                f"the catalogue changed late on {stop_day}, and what was due before is not closed:"
                " run tally build first"
            )

    def connect(self) -> Warehouse:
        """A connection to it, for reading."""
        connection = duckdb.connect(str(self.path))
        connection.execute("set timezone = 'UTC'")
        return Warehouse("duckdb", connection, str(self.path))


def find_as_of_day(warehouse: Warehouse) -> date:
    """The running day of the house: the last with usage, or else the first that is not sealed.

    Raises UserError where nothing has been landed or built.
    """
    midnight = sealed_until(warehouse)
    landed = None
    if has_table(warehouse, "raw", "usage_events"):
        _, rows = warehouse.query(
            f"select max(loaded_at) from {raw_table('usage_events')} where loaded_at >= ?",
            [midnight],
        )
        landed = rows[0][0]
    if landed is None and midnight == BEGINNING:
        raise UserError("nothing has been landed here yet: run tally land")
    return max(landed or midnight, midnight).date()


@contextmanager
def open_customer_house(
    project: Path, warehouse: Warehouse, catalog: Catalog, customer: str, at_day: date | None
) -> Iterator[CustomerHouse]:
    """The house of `customer` beside the warehouse, not yet built.

    It stands as known at the running day, or at `at_day` where that is later. One is open at a
    time; a second waits for the first. Raises UserError where nothing has been landed.
    """
    as_of_day = find_as_of_day(warehouse)
    # Always the same folder: dbt then need not read the project anew each time.
    folder = target_folder(project) / "preview"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        through_day = max(as_of_day, at_day or as_of_day)
        house = CustomerHouse(project, folder, customer, as_of_day, through_day)
        _remove(house.path)
        try:
            _write_profile(folder, house.path)
            with duckdb.connect(str(house.path)) as connection:
                _carry_over(warehouse, connection, catalog, customer)
            yield house
        finally:
            _remove(house.path)


def _remove(path: Path) -> None:
    for file in (path, path.with_name(path.name + ".wal")):
        file.unlink(missing_ok=True)


def _write_profile(folder: Path, path: Path) -> None:
    """A profile whose only output is the file, whatever the project's own profile says."""
    output = {
        "type": "duckdb",
        "path": str(path.resolve()),
        "schema": "main",
        "threads": 2,
        "settings": {"TimeZone": "UTC"},
    }
    profile = {"tallyhouse": {"target": "duckdb", "outputs": {"duckdb": output}}}
    (folder / "profiles.yml").write_text(yaml.safe_dump(profile), encoding="utf-8")


def _carry_over(warehouse: Warehouse, connection: Any, catalog: Catalog, customer: str) -> None:
    """Raw usage and the ledger of one customer; other customers' documents leave no trace."""
    connection.execute("set timezone = 'UTC'")
    connection.execute("create schema raw")
    events = raw_table("usage_events")
    if has_table(warehouse, "raw", "usage_events"):
        _copy(warehouse, connection, "raw", "usage_events", OF_ONE, [customer])
        connection.execute(
            "create table raw.loads as select load_id, load_id as file_name,"
            " load_id as content_hash, count(*) as row_count, max(loaded_at) as loaded_at,"
            f" '' as mapping_hash from {events} group by load_id"
        )
    if not has_ledger(warehouse):
        return
    connection.execute("create schema ledger")
    for name in OF_CUSTOMER:
        _copy(warehouse, connection, "ledger", name, OF_ONE, [customer])
    for name, (key, owner) in OF_THEIRS.items():
        if not has_table(warehouse, "ledger", name):
            # A ledger that was last written before there were credits.
            continue
        theirs = f"select {key} from {ledger_table(owner)} {OF_ONE}"
        _copy(warehouse, connection, "ledger", name, f"where {key} in ({theirs})", [customer])
    for name in OF_ALL:
        _copy(warehouse, connection, "ledger", name)
    _copy(warehouse, connection, "ledger", "sealed_days")
    connection.execute(
        "update ledger.sealed_days set landed_count ="
        f" (select count(*) from {events} where cast(loaded_at as date) = load_day)"
    )
    # Of the archive what the customer's catalogue has: the build compares the two.
    _copy(warehouse, connection, "ledger", "catalog_rows")
    texts = [(name, row_text(row)) for name in COLUMNS for row in catalog[name]]
    connection.execute("create temp table texts (table_name text, row_text text)")
    _insert(connection, "texts", texts, ["text", "text"])
    connection.execute(
        f"delete from {ledger_table('catalog_rows')} where (table_name, row_text)"
        " not in (select table_name, row_text from texts)"
    )


def _copy(
    warehouse: Warehouse,
    connection: Any,
    schema: str,
    name: str,
    condition: str = "",
    parameters: Sequence[Any] = (),
) -> None:
    """A table of the warehouse, or the rows of it that a condition holds for, with its types."""
    _, columns = warehouse.query(
        "select column_name, data_type, numeric_precision, numeric_scale"
        " from information_schema.columns where table_schema = ? and table_name = ?"
        " and table_catalog = current_database() order by ordinal_position",
        [schema, name],
    )
    types = [_type(*column[1:]) for column in columns]
    names = [quote_identifier(column[0]) for column in columns]
    table = f"{quote_identifier(schema)}.{quote_identifier(name)}"
    declared = ", ".join(f"{n} {t}" for n, t in zip(names, types, strict=True))
    connection.execute(f"create table {table} ({declared})")
    query = f"select {', '.join(names)} from {table} {condition}"
    for rows in warehouse.batches(query, list(parameters), BATCH):
        _insert(connection, table, rows, types)


def _type(data_type: str, precision: int | None, scale: int | None) -> str:
    """The DuckDB type of a column as information_schema describes it on either engine."""
    name = data_type.lower()
    if name.startswith(("numeric", "decimal")):
        return f"decimal({precision}, {scale})"
    if name.startswith(("timestamp",)):
        return "timestamp"
    if name in ("integer", "bigint", "date", "boolean"):
        return name
    return "text"


def _insert(
    connection: Any, table: str, rows: Sequence[Sequence[Any]], types: Sequence[str]
) -> None:
    import pyarrow as pa

    if not rows:
        return
    # As text where Arrow has no like type of its own; the insert casts back, exactly.
    columns = [
        pa.array([None if value is None else str(value) for value in values], pa.string())
        if type_.startswith("decimal")
        else pa.array(values)
        for values, type_ in zip(zip(*rows, strict=True), types, strict=True)
    ]
    names = [f"c{place}" for place in range(len(columns))]
    connection.register("carried", pa.table(columns, names=names))
    casts = ", ".join(f"cast({n} as {t})" for n, t in zip(names, types, strict=True))
    connection.execute(f"insert into {table} select {casts} from carried")
    connection.unregister("carried")

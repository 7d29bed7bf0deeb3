"""The DuckDB query that gives a file's records the shape of raw.usage_events.

Every function here returns SQL text. Names and constants of a mapping enter it as quoted
literals only; paths into JSON are JSON pointers.

DuckDB's JSON functions read numbers as doubles and let NaN, Infinity and trailing commas pass.
So a line that holds any of these, or a number that a double might not give back as written, is
*risky*: its strings get a marker at the end and its numbers become strings that begin with the
marker. The functions then leave the digits alone, and the marker is taken out of what they
return. The marker is random, so that no text in a file can hold it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from orchestration.mapping import ALL, ENVELOPE, Field, Mapping, MappingError, split_path
from orchestration.records import FileError
from orchestration.warehouse import quote_identifier, quote_literal

RAW_FIELDS = (*ENVELOPE, "properties", "unread_record")
MARKER = "tally" + secrets.token_hex(12)

# Numbers that a double may not give back as written (16 digits or more, an exponent, trailing
# zeros, a minus before zero, very small), and what only a lax reader takes for JSON.
_RISKY = (
    r"[:\[,\s](?:-?(?:[0-9][0-9.]{15,}|[0-9.]+[eE][0-9+-]+|[0-9]+\.[0-9]*0|0\.000[0-9]*)|-0"
    r"|[+-]?(?i:nan|inf[a-z]*))\s*[,}\]]|,\s*[}\]]"
)
_STRING = r'"(?:[^"\\]|\\.)*"'
_STRING_OR_NUMBER = r'"((?:[^"\\]|\\.)*)"|(-?[0-9][0-9.eE+-]*)'
# Only in what is left of a lax document without its strings.
_LAX = r"(?i:nan|inf)|,\s*[}\]]"
_BLANK = r"\s*"
_TIME = r"^\d{4}-\d{2}-\d{2}([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)?)?$"  # noqa: E501
ZONELESS_TIME = "^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+)?$"


@dataclass(frozen=True)
class Source:
    """A relation to select from, and how to get at a value of it.

    text_of(path): SQL of the value's text, null if missing. json_of(path): SQL of the value as
    JSON text, null if missing. Both raise KeyError for a path that cannot exist.
    """

    relation: str
    text_of: Callable[[str], str]
    json_of: Callable[[str], str]
    columns: tuple[str, ...] | None
    unread: str
    record: str


def _is_risky(text: str) -> str:
    return f"regexp_matches({text}, {quote_literal(_RISKY)})"


def _is_lax(text: str) -> str:
    bare = f"regexp_replace({text}, {quote_literal(_STRING)}, '\"\"', 'g')"
    return f"regexp_matches({bare}, {quote_literal(_LAX)})"


def _mark(text: str) -> str:
    replacement = quote_literal(f'"\\1{MARKER}\\2"')
    return f"regexp_replace({text}, {quote_literal(_STRING_OR_NUMBER)}, {replacement}, 'g')"


def _unmark_json(text: str) -> str:
    numbers = quote_literal(f'"{MARKER}([^"]+)"')
    return f"replace(regexp_replace({text}, {numbers}, '\\1', 'g'), {quote_literal(MARKER)}, '')"


def _unmark_text(text: str) -> str:
    return f"replace({text}, {quote_literal(MARKER)}, '')"


def minify(text: str) -> str:
    """JSON text without blanks, numbers as written; text that is not JSON as it is."""
    return (
        f"case when {text} is null then null"
        f" when not json_valid({text}) then {text}"
        f" when not {_is_risky(text)} then cast(json_extract({text}, '$') as varchar)"
        f" when {_is_lax(text)} then {text}"
        f" else {_unmark_json(f'cast(json_extract({_mark(text)}, {chr(39)}${chr(39)}) as varchar)')}"  # noqa: E501
        " end"
    )


def _json_text(text: str) -> str:
    """A text value as a JSON string."""
    return f"cast(to_json({text}) as varchar)"


def _json_object(members: list[tuple[str, str]]) -> str:
    """A JSON object of (name, SQL of JSON text); a null member is left out."""
    if not members:
        return "'{}'"
    parts = ", ".join(
        f"{quote_literal(json.dumps(name, ensure_ascii=False) + ':')} || {value}"
        for name, value in members
    )
    return f"'{{' || concat_ws(',', {parts}) || '}}'"


def _pointer(path: str) -> list[str]:
    return [segment.replace("~", "~0").replace("/", "~1") for segment in split_path(path)]


def _list(texts: list[str]) -> str:
    return "[" + ", ".join(quote_literal(text) for text in texts) + "]"


# --- NDJSON -----------------------------------------------------------------------------------


def _used_paths(mapping: Mapping) -> list[str]:
    paths = [path for item in mapping.fields.values() for path in item.paths]
    return list(dict.fromkeys(paths))


def ndjson_source(mapping: Mapping, relation: str) -> Source:
    """`relation` has record, line_number, is_broken (see records.RECORD_SCHEMA)."""
    text_paths = _used_paths(mapping)
    if mapping.properties is None:
        json_paths = ["properties"]
    elif mapping.properties == ALL:
        json_paths = []
    elif isinstance(mapping.properties, str):
        json_paths = [mapping.properties]
    else:
        json_paths = list(dict.fromkeys(path for _, path in mapping.properties))
    for path in (*text_paths, *json_paths):
        try:
            split_path(path)
        except ValueError as error:
            raise MappingError(f"{mapping.source}: {error}") from error

    def pointers(paths: list[str], marker: str) -> str:
        return _list(["".join(f"/{part}{marker}" for part in _pointer(path)) for path in paths])

    def texts(paths: list[str]) -> str:
        plain = f"json_extract_string(document, {pointers(paths, '')})"
        marked = f"json_extract_string(document, {pointers(paths, MARKER)})"
        unmarked = f"list_transform({marked}, lambda value: {_unmark_text('value')})"
        return f"case when is_risky then {unmarked} else {plain} end"

    def jsons(paths: list[str]) -> str:
        if not paths:
            return "cast(null as varchar[])"
        plain = f"cast(json_extract(document, {pointers(paths, '')}) as varchar[])"
        marked = f"cast(json_extract(document, {pointers(paths, MARKER)}) as varchar[])"
        unmarked = f"list_transform({marked}, lambda value: {_unmark_json('value')})"
        return f"case when is_risky then {unmarked} else {plain} end"

    rest = "cast(null as varchar)"
    if mapping.properties == ALL:
        rest = _other_members({split_path(path)[0] for path in text_paths})
    query = f"""(
        with checked as (
            select record, line_number, is_broken, {_is_risky("record")} as is_risky
            from {relation}
            where not (length(record) < 1024 and regexp_full_match(record, {quote_literal(_BLANK)}))
        ),
        documents as (
            select
                record, line_number, is_risky,
                case
                    when is_broken or not json_valid(record) then null
                    when not is_risky then record
                    when {_is_lax("record")} then null
                    else {_mark("record")}
                end as document
            from checked
        ),
        extracted as (
            select
                record, line_number, document,
                json_keys(document) as keys,
                {texts(text_paths)} as texts,
                {jsons(json_paths)} as jsons,
                {rest} as rest
            from documents
        )
        select
            *,
            document is null
            or len(keys) = 0
            -- Hashing names costs as much as all the reading: only where there are unknown ones.
            or case
                when len(keys) = {_found_names(text_paths, json_paths)} then false
                else len(keys) <> len(list_distinct(keys))
            end
            or (
                contains(record, '\\u0000')
                and contains(array_to_string(texts, ''), chr(0))
            ) as is_unread
        from extracted
    )"""

    def text_of(path: str) -> str:
        return f"texts[{text_paths.index(path) + 1}]"

    def json_of(path: str) -> str:
        return f"jsons[{json_paths.index(path) + 1}]"

    return Source(
        relation=query,
        text_of=text_of,
        json_of=json_of,
        columns=None,
        unread="is_unread",
        record="rtrim(record, chr(10) || chr(13))",
    )


def _found_names(text_paths: list[str], json_paths: list[str]) -> str:
    """How many top-level names of a document the query has found a value for, each once."""
    found = {
        split_path(path)[0]: f"{name}[{position}] is not null"
        for name, paths in (("texts", text_paths), ("jsons", json_paths))
        for position, path in enumerate(paths, start=1)
        if len(split_path(path)) == 1
    }
    return " + ".join(f"cast({test} as integer)" for test in found.values()) or "-1"


def _other_members(used: set[str]) -> str:
    """An object of the members of `document` whose top-level names the mapping does not use."""

    def members(names: set[str], unmark: bool) -> str:
        value = (
            "cast(json_extract(document, '/' || replace(replace(key, '~', '~0'), '/', '~1'))"
            " as varchar)"
        )
        member = f"{_json_text('key')} || ':' || {value}"
        keys = "json_keys(document)"
        if names:
            keys = f"list_filter({keys}, lambda key: key not in ({_list(sorted(names))[1:-1]}))"
        text = (
            f"'{{' || coalesce(array_to_string(list_transform({keys}, lambda key: {member}),"
            " ','), '') || '}'"
        )
        return _unmark_json(text) if unmark else text

    marked = members({name + MARKER for name in used}, True)
    return f"case when is_risky then {marked} else {members(used, False)} end"


# --- CSV --------------------------------------------------------------------------------------


def csv_source(mapping: Mapping, relation: str, header: list[str], delimiter: str) -> Source:
    """As ndjson_source, for CSV records; the record of line 1 is the header."""
    escaped = ("\\" + delimiter) if not delimiter.isalnum() and ord(delimiter) < 128 else delimiter
    escaped = "\\t" if delimiter == "\t" else escaped
    value_pattern = quote_literal(f'("(?:[^"]|"")*"|[^"{escaped}][^{escaped}]*|){escaped}')
    separator = quote_literal(delimiter)
    query = f"""(
        with trimmed as (
            select rtrim(record, chr(10) || chr(13)) as record, line_number, is_broken
            from {relation}
            where line_number > 1
        ),
        split as (
            select
                record, line_number, is_broken,
                case
                    when contains(record, '"') then
                        regexp_extract_all(record || {separator}, {value_pattern}, 1)
                    else string_split(record, {separator})
                end as fields
            from trimmed
            where record <> ''
        )
        select
            record, line_number,
            case
                when contains(record, '"') then list_transform(
                    fields,
                    lambda field:
                        case
                            when starts_with(field, '"') then
                                replace(substr(field, 2, length(field) - 2), '""', '"')
                            else field
                        end
                )
                else fields
            end as fields,
            is_broken
            or len(fields) <> {len(header)}
            -- What the pattern stepped over is no CSV.
            or (
                contains(record, '"')
                and array_to_string(fields, {separator}) <> record
            ) as is_unread
        from split
    )"""
    positions = {name: position for position, name in enumerate(header, start=1)}

    def text_of(path: str) -> str:
        value = f"nullif(fields[{positions[path]}], '')"
        for text in mapping.null_texts:
            value = f"nullif({value}, {quote_literal(text)})"
        return value

    return Source(
        relation=query,
        text_of=text_of,
        json_of=lambda path: _json_text(text_of(path)),
        columns=tuple(header),
        unread="is_unread",
        record="record",
    )


# --- Parquet ----------------------------------------------------------------------------------


def _child(dtype: object, name: str) -> object | None:
    for child_name, child in dtype.children:  # type: ignore[attr-defined]
        if child_name == name:
            return child
    return None


def _typed_text(value: str, dtype: object) -> str:
    """A typed value's text: shortest for doubles, exact for decimals, ISO in UTC for times."""
    kind = dtype.id  # type: ignore[attr-defined]
    if kind == "timestamp with time zone":
        return f"replace(cast(cast({value} as timestamp) as varchar), ' ', 'T') || 'Z'"
    if kind in ("struct", "list", "map", "array"):
        return _typed_json(value, dtype)
    text = f"cast({value} as varchar)"
    if kind == "decimal" and dict(dtype.children)["precision"] == dict(dtype.children)["scale"]:  # type: ignore[attr-defined]
        # DuckDB leaves out the zero before the point where the type has no whole digits.
        return f"regexp_replace({text}, '^(-?)[.]', '\\1' || '0.')"
    return text


_NUMBER_KINDS = {
    "tinyint", "smallint", "integer", "bigint", "hugeint",
    "utinyint", "usmallint", "uinteger", "ubigint", "uhugeint", "decimal", "boolean",
}  # fmt: skip


def _typed_json(value: str, dtype: object, depth: int = 0) -> str:
    """A typed value as JSON text, null for null; decimals keep their digits."""
    kind = dtype.id  # type: ignore[attr-defined]
    if kind in _NUMBER_KINDS:
        return _typed_text(value, dtype)
    if kind in ("float", "double"):
        return (
            f"case when isfinite({value}) then cast({value} as varchar)"
            f" else '\"' || cast({value} as varchar) || '\"' end"
        )
    if kind == "struct":
        members = [
            (name, _typed_json(f"struct_extract({value}, {quote_literal(name)})", child, depth))
            for name, child in dtype.children  # type: ignore[attr-defined]
        ]
        return f"case when {value} is not null then {_json_object(members)} end"
    if kind in ("list", "array"):
        child = dtype.children[0][1]  # type: ignore[attr-defined]
        item = f"item{depth}"
        inner = f"coalesce({_typed_json(item, child, depth + 1)}, 'null')"
        items = f"list_transform({value}, lambda {item}: {inner})"
        return (
            f"case when {value} is not null then"
            f" '[' || coalesce(array_to_string({items}, ','), '') || ']' end"
        )
    if kind == "map":
        key_type = _child(dtype, "key")
        value_type = _child(dtype, "value")
        entry = f"entry{depth}"
        key = _json_text(_typed_text(f"{entry}.key", key_type))
        inner = f"coalesce({_typed_json(f'{entry}.value', value_type, depth + 1)}, 'null')"
        entries = f"list_transform(map_entries({value}), lambda {entry}: {key} || ':' || {inner})"
        return (
            f"case when {value} is not null then"
            f" '{{' || coalesce(array_to_string({entries}, ','), '') || '}}' end"
        )
    if str(dtype) == "JSON":
        return minify(f"cast({value} as varchar)")
    return _json_text(_typed_text(value, dtype))


def parquet_source(
    mapping: Mapping, relation: str, columns: list[tuple[str, object]], row_number: str
) -> Source:
    """`columns`: (name, DuckDB type); `row_number`: SQL of the row's number from 1."""
    types = dict(columns)

    def resolve(path: str) -> tuple[str, object]:
        if path in types:
            return quote_identifier(path), types[path]
        try:
            segments = split_path(path)
        except ValueError:
            raise KeyError(path) from None
        value, dtype = quote_identifier(segments[0]), types[segments[0]]
        for segment in segments[1:]:
            kind = dtype.id  # type: ignore[attr-defined]
            if kind == "map":
                value, dtype = f"{value}[{quote_literal(segment)}]", _child(dtype, "value")
                continue
            child = _child(dtype, segment) if kind == "struct" else None
            if child is None:
                raise KeyError(path)
            value, dtype = f"struct_extract({value}, {quote_literal(segment)})", child
        return value, dtype

    def text_of(path: str) -> str:
        text = _typed_text(*resolve(path))
        for null_text in ("", *mapping.null_texts):
            text = f"nullif({text}, {quote_literal(null_text)})"
        return text

    def json_of(path: str) -> str:
        value, dtype = resolve(path)
        if mapping.null_texts and dtype.id == "varchar":  # type: ignore[attr-defined]
            return _json_text(text_of(path))
        return _typed_json(value, dtype)

    whole = _json_object([(name, _typed_json(quote_identifier(name), t)) for name, t in columns])
    # Postgres cannot store a NUL, so a row whose envelope holds one stays a record.
    envelope = [text_of(path) for path in _used_paths(mapping) if path in types or "." in path]
    has_nul = " or ".join(f"coalesce(contains({text}, chr(0)), false)" for text in envelope)
    return Source(
        relation=f"(select *, {row_number} as line_number from {relation})",
        text_of=text_of,
        json_of=json_of,
        columns=tuple(name for name, _ in columns),
        unread=f"({has_nul or 'false'})",
        record=whole,
    )


# --- Any source -------------------------------------------------------------------------------


def default_for(columns: tuple[str, ...], mapping: Mapping) -> Mapping:
    """The default mapping cut down to the columns that a file has."""
    names = set(columns)
    if "customer_id" not in names or not names & {"event_name", "voids_key"}:
        missing = "customer_id" if "customer_id" not in names else "event_name"
        raise FileError(
            f"no column {missing}; the columns are {', '.join(columns)};"
            " give a mapping that says which column it is"
        )
    fields = {name: item for name, item in mapping.fields.items() if name in names}
    return Mapping(source=mapping.source, fields=fields)


def check_columns(mapping: Mapping, source: Source) -> None:
    """MappingError for the first path of the mapping that the file does not have."""
    wanted = [(name, path) for name, item in mapping.fields.items() for path in item.paths]
    if isinstance(mapping.properties, tuple):
        wanted += [("properties", path) for _, path in mapping.properties]
    elif mapping.properties not in (None, ALL):
        wanted.append(("properties", mapping.properties))
    for name, path in wanted:
        try:
            source.text_of(path)
        except KeyError:
            raise MappingError(
                f"{mapping.source}: {name}: no column {path};"
                f" the columns are {', '.join(source.columns or ())}"
            ) from None


def _field_text(item: Field, source: Source) -> str:
    if item.value is not None:
        return quote_literal(item.value)
    texts = [source.text_of(path) for path in item.paths]
    if len(texts) == 1:
        text = texts[0]
    else:
        joined = f" || {quote_literal(item.separator)} || ".join(
            f"coalesce({text}, '')" for text in texts
        )
        text = f"case when coalesce({', '.join(texts)}) is not null then {joined} end"
    if item.unit_microseconds is None:
        return text
    # A text that is no number, or too large for a time, stays and is rejected in staging.
    elapsed = f"try_cast({text} as decimal(38, 6)) * {item.unit_microseconds}"
    whole = f"try_cast(try_cast({elapsed} as decimal(38, 0)) as bigint)"
    instant = f"make_timestamp({whole} + {item.since_microseconds})"
    bound = 200_000_000_000_000_000
    return (
        f"case when {whole} between {-bound} and {bound}"
        f" then strftime({instant}, '%Y-%m-%dT%H:%M:%S.%fZ') else {text} end"
    )


def _properties(mapping: Mapping, source: Source) -> str:
    if isinstance(mapping.properties, tuple):
        return _json_object([(name, source.json_of(path)) for name, path in mapping.properties])
    if source.columns is None:
        if mapping.properties == ALL:
            return "rest"
        return f"nullif({source.json_of(mapping.properties or 'properties')}, 'null')"
    if isinstance(mapping.properties, str) and mapping.properties != ALL:
        return _object_of(mapping.properties, source)
    used = set(_used_paths(mapping))
    rest = [name for name in source.columns if name not in used and name != "properties"]
    members = [(name, source.json_of(name)) for name in rest]
    if "properties" not in source.columns or "properties" in used:
        return _json_object(members)
    whole = _object_of("properties", source)
    if not members:
        return whole
    # Other columns stand beside a column of objects: they join its members.
    inner = f"nullif(regexp_extract({whole}, '^\\{{(.*)\\}}$', 1, 's'), '')"
    parts = ", ".join(
        f"{quote_literal(json.dumps(name, ensure_ascii=False) + ':')} || {value}"
        for name, value in members
    )
    return (
        f"case when {whole} is null or regexp_full_match({whole}, '\\{{.*\\}}', 's')"
        f" then '{{' || concat_ws(',', {inner}, {parts}) || '}}' else {whole} end"
    )


def _object_of(path: str, source: Source) -> str:
    """A column that holds the properties object itself: JSON text, or a nested type."""
    json_value = source.json_of(path)
    text = source.text_of(path)
    # A text column's JSON value would be a string; its text is the object.
    if json_value.startswith("cast(to_json("):
        return minify(text)
    return json_value


def shape_query(mapping: Mapping, source: Source) -> str:
    """select line_number and the fields of raw.usage_events, one row per record."""
    selected = []
    for name in ENVELOPE:
        item = mapping.fields.get(name)
        value = "null" if item is None else f"nullif({_field_text(item, source)}, '')"
        selected.append(f"case when not {source.unread} then {value} end")
    selected.append(f"case when not {source.unread} then {_properties(mapping, source)} end")
    selected.append(
        f"case when {source.unread} then replace({source.record}, chr(0), '\u2400') end"
    )
    columns = ",\n".join(
        f"cast({value} as varchar) as {name}"
        for name, value in zip(RAW_FIELDS, selected, strict=True)
    )
    return f"select line_number,\n{columns}\nfrom {source.relation}"


def strict_query(shape: str, future_tolerance_minutes: int) -> str:
    """The first row that staging would reject on its envelope: line_number, field, expected.

    One parameter: the load time. Keys twice on a level inside properties are left to staging.
    """
    moment = (
        "try_cast(left(occurred_at, 10) || ' ' || coalesce(nullif("
        "regexp_extract(occurred_at, '[T ]([0-9:]+)', 1), ''), '00:00')"
        " || case when regexp_matches(occurred_at, '[T ][0-9]{2}:[0-9]{2}:')"
        " then '' else ':00' end as timestamp)"
    )
    zone = r"regexp_extract(occurred_at, '[T ].*([+-][0-9]{2}:?(?:[0-9]{2})?)$', 1)"
    offset = (
        f"case when {zone} = '' then 0 else (case when left({zone}, 1) = '-' then -1 else 1 end)"
        f" * (cast(substr({zone}, 2, 2) as integer) * 60 +"
        f" cast(coalesce(nullif(replace(substr({zone}, 4), ':', ''), ''), '0') as integer)) end"
    )
    return f"""
        with shaped as ({shape}),
        timed as (
            select
                *,
                case
                    when regexp_matches(occurred_at, {quote_literal(_TIME)})
                        then {moment} - to_minutes({offset})
                end as moment
            from shaped
        ),
        judged as (
            select
                line_number,
                case
                    when unread_record is not null
                        then ['record', 'a record that can be read, no name in it twice']
                    when customer_id is null then ['customer_id', 'a customer']
                    when event_name is null and voids_key is null
                        then ['event_name', 'an event name, or a voids_key']
                    when
                        properties is not null
                        and case
                            when json_valid(properties)
                                then
                                    json_type(properties) <> 'OBJECT'
                                    or {_is_lax("properties")}
                                    or contains(properties, '\\u0000')
                            else true
                        end
                        then ['properties', 'a JSON object']
                    when occurred_at is not null and moment is null
                        then ['occurred_at', 'a time like 2026-01-31T09:30:00Z']
                    when moment < timestamp '1970-01-01'
                        then ['occurred_at', 'a time since 1970-01-01']
                    when moment > cast(? as timestamp) + to_minutes({future_tolerance_minutes})
                        then [
                            'occurred_at',
                            'a time at most {future_tolerance_minutes} minutes after the load'
                        ]
                end as fault
            from timed
        )
        select line_number, fault[1], fault[2]
        from judged
        where fault is not null
        order by line_number
        limit 1
    """

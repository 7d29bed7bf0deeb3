"""Files as Arrow batches of raw records: one text per record, with its physical line number.

The bytes are split into lines here, in blocks of some megabytes, and everything else is left to
DuckDB. A block is all that is ever held, save for a single record that is longer than a block.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import itertools
import json
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

CHUNK_BYTES = 8 << 20
# Below 2 GiB, which is what 32-bit offsets of a batch can address.
MAXIMUM_RECORD_BYTES = 1 << 30
# How far to look for the end of a quoted CSV value before taking its quote as a stray one.
MAXIMUM_QUOTED_BYTES = 64 << 20

RECORD_SCHEMA = pa.schema(
    [("record", pa.string()), ("line_number", pa.int64()), ("is_broken", pa.bool_())]
)
FORMATS = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
NUL_SIGN = "\u2400".encode()

# csv refuses fields over 128 KiB by default; a property of 10 MB must land.
csv.field_size_limit(MAXIMUM_RECORD_BYTES)


class FileError(Exception):
    """A file that cannot be landed; the message is one line, without the file's name."""


def file_format(path: str) -> tuple[str, str | None] | None:
    """(format, compression) by the name's ending; None if it is not one that can be landed."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    compression = COMPRESSIONS.get(suffixes[-1]) if suffixes else None
    if compression:
        suffixes.pop()
    kind = FORMATS.get(suffixes[-1]) if suffixes else None
    if kind is None or (kind == "parquet" and compression):
        return None
    return kind, compression


def read_chunks(path: str, compression: str | None) -> Iterator[bytes]:
    """The decompressed content, in chunks. FileError if the compression is broken."""
    with open(path, "rb") as file:
        if compression is None:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
        elif compression == "gzip":
            # An empty .gz has no member at all, which gzip reads as empty content.
            with gzip.GzipFile(fileobj=file) as unzipped:
                try:
                    while chunk := unzipped.read(CHUNK_BYTES):
                        yield chunk
                except EOFError as error:
                    raise FileError("the gzip file is truncated") from error
                except (gzip.BadGzipFile, zlib.error) as error:
                    raise FileError(f"not a sound gzip file ({error})") from error
        else:
            yield from _read_zstd(file)


def _read_zstd(file: Any) -> Iterator[bytes]:
    import zstandard

    frame = None
    try:
        # Small reads, since a compressed byte can become thousands.
        while compressed := file.read(1 << 16):
            while compressed:
                if frame is None:
                    frame = zstandard.ZstdDecompressor().decompressobj()
                if chunk := frame.decompress(compressed):
                    yield chunk
                compressed = frame.unused_data if frame.eof else b""
                if frame.eof:
                    frame = None
    except zstandard.ZstdError as error:
        raise FileError(f"not a sound zstd file ({error})") from error
    if frame is not None:
        raise FileError("the zstd file is truncated")


def hash_content(path: str, compression: str | None) -> tuple[str, int]:
    """sha256 (64 hex) and length in bytes of the decompressed content."""
    digest = hashlib.sha256()
    size = 0
    for chunk in read_chunks(path, compression):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


@dataclass
class Block:
    """Whole physical lines: line i is data[offsets[i]:offsets[i + 1]], its line end included."""

    data: bytes
    offsets: np.ndarray
    first_line: int
    is_broken: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def text(self, start: int, end: int) -> str:
        return self.data[self.offsets[start] : self.offsets[end]].decode()


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _line_offsets(data: bytes) -> np.ndarray:
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 10) + 1
    if not len(ends) or ends[-1] != len(data):
        ends = np.append(ends, len(data))
    return np.concatenate(([0], ends)).astype(np.int32)


def _make_block(data: bytes, first_line: int) -> Block:
    """Lines of `data`; those with a NUL or invalid UTF-8 are repaired and marked broken."""
    if b"\0" not in data and _is_utf8(data):
        offsets = _line_offsets(data)
        return Block(data, offsets, first_line, np.zeros(len(offsets) - 1, dtype=bool))
    lines, is_broken = [], []
    for line in _split(data):
        broken = b"\0" in line or not _is_utf8(line)
        if broken:
            line = line.replace(b"\0", NUL_SIGN).decode(errors="replace").encode()
        lines.append(line)
        is_broken.append(broken)
    offsets = np.cumsum([0] + [len(line) for line in lines]).astype(np.int32)
    return Block(b"".join(lines), offsets, first_line, np.array(is_broken, dtype=bool))


def _split(data: bytes) -> list[bytes]:
    """Lines by `\\n` alone: a lone carriage return ends no line."""
    offsets = _line_offsets(data)
    return [data[start:end] for start, end in itertools.pairwise(offsets)]


def read_blocks(chunks: Iterator[bytes]) -> Iterator[Block]:
    """Blocks of whole lines, a byte order mark dropped."""
    waiting: list[bytes] = []
    waiting_bytes = 0
    line = 1
    is_first = True
    for chunk in _with_end(chunks):
        if chunk is not None:
            cut = chunk.rfind(b"\n") + 1
            if cut == 0:
                waiting.append(chunk)
                waiting_bytes += len(chunk)
                if waiting_bytes > MAXIMUM_RECORD_BYTES:
                    raise FileError(f"line {line} is longer than {MAXIMUM_RECORD_BYTES:,} bytes")
                continue
            data = b"".join((*waiting, chunk[:cut]))
            waiting = [chunk[cut:]] if cut < len(chunk) else []
            waiting_bytes = len(chunk) - cut
        else:
            data = b"".join(waiting)
        if is_first and data:
            if data.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise FileError("the text is UTF-16; expected UTF-8")
            data = data.removeprefix(b"\xef\xbb\xbf")
            is_first = False
        if data:
            block = _make_block(data, line)
            line += len(block)
            yield block


def _with_end(chunks: Iterator[bytes]) -> Iterator[bytes | None]:
    yield from chunks
    yield None


def _to_batch(
    data: bytes, offsets: np.ndarray, lines: np.ndarray, is_broken: np.ndarray
) -> pa.RecordBatch:
    records = pa.StringArray.from_buffers(
        len(lines), pa.py_buffer(np.ascontiguousarray(offsets)), pa.py_buffer(data)
    )
    return pa.record_batch([records, pa.array(lines), pa.array(is_broken)], schema=RECORD_SCHEMA)


def line_batches(blocks: Iterator[Block]) -> Iterator[pa.RecordBatch]:
    """Every physical line is a record."""
    for block in blocks:
        lines = np.arange(block.first_line, block.first_line + len(block), dtype=np.int64)
        yield _to_batch(block.data, block.offsets, lines, block.is_broken)


def csv_batches(
    blocks: Iterator[Block], column_count: int, delimiter: str
) -> Iterator[pa.RecordBatch]:
    """CSV records, which hold several physical lines where a quoted value does.

    A record's line number is that of its first line. A quote that is never closed breaks its own
    line alone: lines are only joined where the result is one record of `column_count` values.
    """
    held: Block | None = None
    for block in _with_end(blocks):
        is_last = block is None
        if held is not None:
            block = held if block is None else _join_blocks(held, block)
            held = None
        if block is None:
            return
        is_start, held_from = _record_starts(block, column_count, delimiter, is_last)
        end = len(block) if held_from is None else held_from
        starts = np.flatnonzero(is_start[:end])
        if len(starts):
            offsets = np.append(block.offsets[starts], block.offsets[end]).astype(np.int32)
            lines = (block.first_line + starts).astype(np.int64)
            yield _to_batch(block.data, offsets, lines, block.is_broken[starts])
        if held_from is not None:
            start = block.offsets[held_from]
            held = Block(
                block.data[start:],
                block.offsets[held_from:] - start,
                block.first_line + held_from,
                block.is_broken[held_from:],
            )


def _join_blocks(first: Block, second: Block) -> Block:
    return Block(
        first.data + second.data,
        np.concatenate((first.offsets, second.offsets[1:] + len(first.data))).astype(np.int32),
        first.first_line,
        np.concatenate((first.is_broken, second.is_broken)),
    )


def _record_starts(
    block: Block, column_count: int, delimiter: str, is_last: bool
) -> tuple[np.ndarray, int | None]:
    """Which lines start a record, and from which line on the block must wait for more."""
    is_start = np.ones(len(block), dtype=bool)
    if b'"' not in block.data:
        return is_start, None
    quotes = np.flatnonzero(np.frombuffer(block.data, dtype=np.uint8) == 34)
    lines = np.searchsorted(block.offsets, quotes, side="right") - 1
    counts = np.bincount(lines, minlength=len(block))
    # Inside a quoted value quotes are doubled, so it opens and ends on a line with an odd count.
    odd = np.flatnonzero((counts % 2 == 1) & ~block.is_broken).tolist()
    position = 0
    while position < len(odd):
        start = odd[position]
        position += 1
        if _is_record(block.text(start, start + 1), column_count, delimiter):
            continue
        if position < len(odd):
            end = odd[position] + 1
            if _is_record(block.text(start, end), column_count, delimiter):
                is_start[start + 1 : end] = False
                position += 1
        elif not is_last and len(block.data) - block.offsets[start] < MAXIMUM_QUOTED_BYTES:
            return is_start, start
    return is_start, None


def _is_record(text: str, column_count: int, delimiter: str) -> bool:
    """Whether the text is one CSV record of so many values."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    return len(rows) == 1 and len(rows[0]) == column_count


def read_header(path: str, compression: str | None, delimiter: str) -> list[str] | None:
    """The column names of a CSV's first line; None if there is no line at all."""
    chunks = read_chunks(path, compression)
    try:
        block = next(read_blocks(chunks), None)
    finally:
        chunks.close()
    if block is None:
        return None
    if block.is_broken[0]:
        raise FileError("line 1: the header has NUL bytes or is not UTF-8")
    try:
        header = next(csv.reader([block.text(0, 1)], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise FileError(f"line 1: the header cannot be read ({error})") from error
    if not header:
        raise FileError("line 1: expected a header with the column names")
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise FileError(f"line 1: column {doubled[0]} is there twice")
    return header


def first_names(path: str, compression: str | None) -> list[str]:
    """The names in the first JSON object of a file, for a message to a person."""
    chunks = read_chunks(path, compression)
    try:
        block = next(read_blocks(chunks), None)
    finally:
        chunks.close()
    for line in range(0 if block is None else min(len(block), 100)):
        try:
            value = json.loads(block.text(line, line + 1))
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return list(value)
    return []


class RecordStream:
    """One pass over a file as an Arrow reader that checks the content on the way.

    `error` keeps what went wrong inside, since DuckDB only reports it wrapped.
    """

    def __init__(
        self,
        path: str,
        compression: str | None,
        expected_hash: str,
        batches: Callable[[Iterator[Block]], Iterator[pa.RecordBatch]],
    ) -> None:
        self.path = path
        self.compression = compression
        self.expected_hash = expected_hash
        self.batches = batches
        self.error: BaseException | None = None
        self.reader = pa.RecordBatchReader.from_batches(RECORD_SCHEMA, self._read())

    def _read(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self.batches(read_blocks(self._hashed_chunks()))
        except BaseException as error:
            self.error = error
            raise

    def _hashed_chunks(self) -> Iterator[bytes]:
        digest = hashlib.sha256()
        size = 0
        shown_at = started_at = time.monotonic()
        for chunk in read_chunks(self.path, self.compression):
            digest.update(chunk)
            size += len(chunk)
            yield chunk
            now = time.monotonic()
            if now - shown_at > 2 and sys.stderr.isatty():
                shown_at = now
                rate = size / (now - started_at) / 1e6
                print(
                    f"\r{self.path}: {size / 1e6:,.0f} MB read, {rate:,.0f} MB/s   ",
                    end="",
                    file=sys.stderr,
                    flush=True,
                )
        if shown_at != started_at:
            print(file=sys.stderr)
        if digest.hexdigest() != self.expected_hash:
            raise FileError("the file changed while it was being landed; nothing was landed")


def ndjson_stream(path: str, compression: str | None, expected_hash: str) -> RecordStream:
    return RecordStream(path, compression, expected_hash, line_batches)


def csv_stream(
    path: str, compression: str | None, expected_hash: str, column_count: int, delimiter: str
) -> RecordStream:
    """The header line comes as the first record; line number 1 tells it."""
    return RecordStream(
        path,
        compression,
        expected_hash,
        lambda blocks: csv_batches(blocks, column_count, delimiter),
    )

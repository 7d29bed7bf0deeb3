"""A folder of exports: each file is there whole or not at all, and named by its content.

What is being written has a name that ends in `.part`; a run that was killed may leave one, which
the next run takes away. The folder is a path, or a URL that fsspec knows.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.errors import UserError
from orchestration.warehouse import one_line

PART = ".part"
#: So many files are brought to the disk one by one; more all at once, with what others write.
FEW = 16
#: Hexadecimal digits of the content's SHA-256 in a file's name.
DIGITS = 16


@dataclass(frozen=True)
class WrittenFile:
    """A file of the folder: its path in it, the SHA-256 and the size of its content."""

    file: str
    content_hash: str
    byte_count: int
    is_new: bool


class ExportFolder:
    """Opened by its constructor, which makes it where it is not there. Raises UserError."""

    def __init__(self, location: str) -> None:
        self.is_local = "://" not in location
        self.location = os.path.abspath(location) if self.is_local else location.rstrip("/")
        self.files: Any = None
        self._made: set[str] = set()
        self._unnamed: dict[str, Future[None]] = {}
        # The disk is at work while the next file is made.
        self._writer = ThreadPoolExecutor(1)
        self.root = self.location
        try:
            if not self.is_local:
                import fsspec

                self.files, self.root = fsspec.core.url_to_fs(self.location)
            self._make(self.root)
            self._sizes = dict(self._list())
        except Exception as fault:
            # What a file system of fsspec raises is its own.
            raise UserError(f"cannot write to {location}: {one_line(fault)}") from fault

    def holds(self, file: str, byte_count: int) -> bool:
        """Whether the folder has a file of this name and size."""
        return self._sizes.get(file) == byte_count

    def write(self, stem: str, suffix: str, content: bytes) -> WrittenFile:
        """`content` as a file `<suffix>/<stem>-<digits>.<suffix>`, if it is not there yet.

        It has its name when `settle` has returned.
        """
        digest = hashlib.sha256(content).hexdigest()
        kind, _, ending = suffix.rpartition("/")
        file = f"{kind or ending}/{file_stem(stem)}-{digest[:DIGITS]}.{ending}"
        is_new = not self.holds(file, len(content))
        if is_new:
            self._sizes[file] = len(content)
            self._unnamed[file] = self._writer.submit(self._write_part, file, content)
        return WrittenFile(file, digest, len(content), is_new)

    def settle(self) -> None:
        """Give what was written its name, once it is on the disk. Raises UserError."""
        unnamed, self._unnamed = self._unnamed, {}
        for written in unnamed.values():
            written.result()
        if self.is_local and len(unnamed) > FEW:
            # Else a power cut may leave a name without its content; one by one takes far longer.
            os.sync()
        for file in unnamed:
            path = f"{self.root}/{file}"
            with self._told(file):
                if not self.is_local:
                    self.files.mv(path + PART, path)
                    continue
                if len(unnamed) <= FEW:
                    _sync_file(path + PART)
                os.replace(path + PART, path)

    def close(self) -> None:
        self._writer.shutdown(cancel_futures=True)

    def __enter__(self) -> ExportFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _told(self, file: str) -> Iterator[None]:
        try:
            yield
        except Exception as fault:
            raise UserError(f"{self.location}/{file}: not written: {one_line(fault)}") from fault

    def _write_part(self, file: str, content: bytes) -> None:
        path = f"{self.root}/{file}"
        with self._told(file):
            self._make(os.path.dirname(path))
            if self.is_local:
                with open(path + PART, "wb") as part:
                    part.write(content)
            else:
                self.files.pipe_file(path + PART, content)

    def _make(self, folder: str) -> None:
        if folder in self._made:
            return
        if self.is_local:
            Path(folder).mkdir(parents=True, exist_ok=True)
        else:
            self.files.makedirs(folder, exist_ok=True)
        self._made.add(folder)

    def _list(self) -> Iterable[tuple[str, int]]:
        """Each file's path in the folder and size; what was being written is taken away."""
        if self.is_local:
            found = [
                (str(path), path.stat().st_size)
                for path in Path(self.root).glob("*/*")
                if path.is_file()
            ]
        else:
            found = [
                (path, about.get("size") or 0)
                for path, about in self.files.find(self.root, maxdepth=2, detail=True).items()
            ]
        for path, size in found:
            if path.endswith(PART):
                os.remove(path) if self.is_local else self.files.rm_file(path)
                continue
            yield "/".join(path.rsplit("/", 2)[-2:]), size


def _sync_file(path: str) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def file_stem(name: str) -> str:
    """`name` for a file on any system; but for letters, digits, `.`, `-`, `_` it is `%` and hex."""
    return re.sub(
        r"[^A-Za-z0-9._-]",
        lambda match: "".join(f"%{byte:02X}" for byte in match.group().encode()),
        name,
    )

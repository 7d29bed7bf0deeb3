"""A folder of exports: each file is there whole or not at all, and named by its content.

What is being written has a name that ends in `.part`; a run that was killed may leave one, which
the next run takes away. The folder is a path, or a URL that fsspec knows.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.errors import UserError
from orchestration.warehouse import one_line

PART = ".part"
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
        self._made: set[str] = set()

    def holds(self, file: str, byte_count: int) -> bool:
        """Whether the folder has a file of this name and size."""
        return self._sizes.get(file) == byte_count

    def write(self, stem: str, suffix: str, content: bytes) -> WrittenFile:
        """`content` as a file `<suffix>/<stem>-<digits>.<suffix>`, if it is not there yet.

        Raises UserError where it cannot be written.
        """
        digest = hashlib.sha256(content).hexdigest()
        kind, _, ending = suffix.rpartition("/")
        file = f"{kind or ending}/{file_stem(stem)}-{digest[:DIGITS]}.{ending}"
        is_new = not self.holds(file, len(content))
        if is_new:
            try:
                self._write_whole(file, content)
            except Exception as fault:
                raise UserError(
                    f"{self.location}/{file}: not written: {one_line(fault)}"
                ) from fault
            self._sizes[file] = len(content)
        return WrittenFile(file, digest, len(content), is_new)

    def _write_whole(self, file: str, content: bytes) -> None:
        path = f"{self.root}/{file}"
        folder = os.path.dirname(path)
        if folder not in self._made:
            self._make(folder)
            self._made.add(folder)
        if not self.is_local:
            self.files.pipe_file(path + PART, content)
            self.files.mv(path + PART, path)
            return
        with open(path + PART, "wb") as part:
            part.write(content)
            part.flush()
            # Else a power cut may leave a name without its content.
            os.fsync(part.fileno())
        os.replace(path + PART, path)

    def _make(self, folder: str) -> None:
        if self.is_local:
            Path(folder).mkdir(parents=True, exist_ok=True)
        else:
            self.files.makedirs(folder, exist_ok=True)

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


def file_stem(name: str) -> str:
    """`name` for a file on any system; but for letters, digits, `.`, `-`, `_` it is `%` and hex."""
    return re.sub(
        r"[^A-Za-z0-9._-]",
        lambda match: "".join(f"%{byte:02X}" for byte in match.group().encode()),
        name,
    )

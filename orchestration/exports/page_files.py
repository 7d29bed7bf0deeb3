"""Pages as HTML (Jinja, everything escaped) and as PDF (Typst, with the typeface of a wheel).

The same page gives the same bytes: neither has a date or an identity of its own.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from orchestration.errors import UserError
from orchestration.exports.page import Page

FOLDER = Path(__file__).resolve().parent
#: A folder of further typefaces, for names in other scripts.
FONTS_VARIABLE = "TALLY_FONTS"
#: Letters that the wheel's typeface has: Latin, Greek, Cyrillic, punctuation and signs.
_PRINTABLE = re.compile(
    "[\u0020-\u052f\u1e00-\u1fff\u2000-\u206f\u20a0-\u20bf\u2100-\u214f\u2200-\u22ff]*"
)
#: Fewer pages than this are not worth the start of other processes.
WORTH_PROCESSES = 16


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("invoice.html.j2")


def html_bytes(page: Page) -> bytes:
    """The page as one HTML file that stands alone."""
    return _template().render(page=page).encode()


@cache
def _compiler() -> Any:
    import typst

    fonts = [
        Path(path) / "files"
        for path in find_spec("font_source_sans_pro").submodule_search_locations
    ]
    if more := os.environ.get(FONTS_VARIABLE):
        if not Path(more).is_dir():
            raise UserError(f"{FONTS_VARIABLE}: no folder {more}")
        fonts.append(Path(more))
    return typst.Compiler(
        FOLDER / "invoice.typ", root=FOLDER, font_paths=fonts, ignore_system_fonts=True
    )


def is_printable(page: Page) -> bool:
    """Whether the typefaces at hand have the page's letters; those of TALLY_FONTS are trusted."""
    text = json.dumps(asdict(page), ensure_ascii=False)
    return bool(os.environ.get(FONTS_VARIABLE)) or _PRINTABLE.fullmatch(text) is not None


def pdf_bytes(page: Page) -> bytes:
    """The page as PDF."""
    return _pdf(json.dumps(asdict(page), ensure_ascii=False))


def _pdf(page: str) -> bytes:
    return _compiler().compile(format="pdf", sys_inputs={"page": page})


class PdfPress:
    """Makes PDFs, of many in several processes."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def print_pages(self, pages: Sequence[Page]) -> Iterator[bytes]:
        """The PDF of each page, in their order."""
        texts = [json.dumps(asdict(page), ensure_ascii=False) for page in pages]
        if self.workers < 2 or (self._pool is None and len(texts) < WORTH_PROCESSES):
            return map(_pdf, texts)
        if self._pool is None:
            # Not forked: a process that has a warehouse open shares it with none.
            self._pool = ProcessPoolExecutor(self.workers, get_context("spawn"))
        return self._pool.map(_pdf, texts, chunksize=8)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


@contextmanager
def open_press(workers: int) -> Iterator[PdfPress]:
    """A press, whose processes end with the block."""
    press = PdfPress(workers)
    try:
        yield press
    finally:
        press.close()

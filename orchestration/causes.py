"""What goes wrong around a house rather than in it, told by the words of engines and dbt.

A full disk, a lost connection or a second build says so in many ways, some of them over pages;
a person needs what happened, that nothing is harmed, and what to do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# What a command that ended early leaves: see DECISIONS.md, Crashes.
UNHARMED = "what was landed and closed stands, nothing was closed by halves"


@dataclass(frozen=True)
class Cause:
    """One such event: how it is told, in whose words, and what mends it."""

    happened: str
    remedy: str
    words: re.Pattern[str]

    def sentence(self, unharmed: str) -> str:
        """All of it on one line; `unharmed` says what stands as it was."""
        return f"{self.happened}; {unharmed}: {self.remedy}"


def _cause(happened: str, remedy: str, *words: str) -> Cause:
    return Cause(happened, remedy, re.compile("|".join(words), re.IGNORECASE | re.DOTALL))


LOST_CONNECTION = _cause(
    "the connection to the warehouse was lost",
    "run it again when the server answers",
    r"server closed the connection",
    r"terminating connection",
    r"connection (?:already |has been |is )?closed",
    r"connection to server [^\n]* failed",
    r"could not (?:connect to|receive data from|send data to) (?:the )?server",
    r"the database system is (?:shutting down|starting up|not yet accepting)",
    r"lost synchronization with server",
    r"connection (?:timed out|reset by peer)",
    r"cursor already closed",
    r"invalid socket",
    r"server login has been failing",
)

# In this order: a server whose disk is full may also hang up.
CAUSES = (
    _cause(
        "the disk is full",
        "make room and run it again",
        r"no space left on device",
        r"disk quota exceeded",
        r"file too large",
        r"errno (?:27|28|122)\b",
        r"error code: 53100",
        r"could not (?:write|extend)[^\n]*(?:disk full|no space)",
    ),
    _cause(
        "there is no room for temporary files",
        "make room, or give DuckDB more memory, and run it again",
        r"max_temp_directory_size",
        r"failed to offload data block",
        r"temporary file size exceeds temp_file_limit",
    ),
    _cause(
        "another build of this house is running",
        "run it again when that one has finished",
        r"another build of this house is running",
    ),
    _cause(
        "another build of this house has begun in between",
        "run it again when that one has finished",
        r"another build of this house has begun since",
        r"another build has closed up to",
    ),
    _cause(
        "usage came in for a day that this build was closing",
        "run it again (with --from and that day if it says so twice)",
        r"usage of \S+ came in while this build was closing that day",
    ),
    LOST_CONNECTION,
)

LOCKED_FILE = re.compile(r"could not set lock on file", re.IGNORECASE)


def find_cause(*texts: object) -> Cause | None:
    """The first cause whose words stand in any of `texts`; None where none is known."""
    for cause in CAUSES:
        if any(text is not None and cause.words.search(str(text)) for text in texts):
            return cause
    return None


def holder_of_file(text: object) -> str | None:
    """What to say of a DuckDB file that another process has open; None if it is not that."""
    message = str(text)
    if not LOCKED_FILE.search(message):
        return None
    holder = re.search(r"\(PID (\d+)", message)
    by = f" (process {holder.group(1)})" if holder else ""
    return f"another process is using it{by}"

"""Which code this is: the version of Tallyhouse, and the commit of the folder that it runs in."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path


def read_code_version(project: Path) -> str:
    """`0.1.0`, or `0.1.0+<commit>` where `project` is in a repository.

    `-dirty` stands behind a commit that files of the repository differ from.
    """
    text = (project / "dbt_project.yml").read_text(encoding="utf-8")
    found = re.search(r'^version: *"?([^"\s]+)"?$', text, re.MULTILINE)
    version = found.group(1) if found else "0"
    commit = _read_commit(project)
    return f"{version}+{commit}" if commit else version


def _read_commit(project: Path) -> str:
    # --exclude: the commit itself, however its repository is tagged.
    words = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(
            words, cwd=project, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

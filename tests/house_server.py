"""Commands of a house as processes that start with everything imported and the project parsed.

Importing dbt and parsing the project take longer than building a small house, so one process does
both once and forks for each command: a process of its own still, which ends, fails and can be
killed alone. What a build does after it has read the project is the same. The parsed project is
taken where it would come out the same: the house's own database and catalogue are put into it,
and a command with other vars or another project's folder parses for itself.

    python -m tests.house_server SOCKET
"""

from __future__ import annotations

import array
import gc
import itertools
import json
import os
import resource
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from tests.dbt_shortcuts import compile_templates, take_shortcuts

PROJECT = Path(__file__).resolve().parent.parent
#: Vars that no node of the project is parsed differently for.
HARMLESS_VARS = {"full"}
ENGINES = ("duckdb", "postgres")
VERBS = {"build", "run", "seed", "test", "compile"}
CATALOG = "seeds/catalog"
DBT = "dbt"
#: Set to anything in a command's environment: its builds leave the data tests out.
UNTESTED = "TALLY_HOUSE_UNTESTED"


# The client's side


@dataclass
class Command:
    """A command under way in a process of its own; as subprocess.Popen where it has the names."""

    pid: int
    connection: socket.socket
    out: IO[bytes]
    error: IO[bytes]
    said: bytes = b""
    returncode: int | None = None

    def wait(self, seconds: float | None = None) -> int | None:
        """Its exit code, -9 if it was killed; None if it is still running after `seconds`."""
        if self.returncode is None:
            self.connection.settimeout(seconds)
            try:
                while part := self.connection.recv(64):
                    self.said += part
            except (TimeoutError, BlockingIOError):
                return None
            self.connection.close()
            self.returncode = int(self.said) if self.said else -signal.SIGKILL
        return self.returncode

    def poll(self) -> int | None:
        """Its exit code if it has ended."""
        return self.wait(0)

    def communicate(self) -> tuple[str, str]:
        """What it said until its end, and what it complained of."""
        self.wait()
        texts = []
        for file in (self.out, self.error):
            file.seek(0)
            texts.append(file.read().decode())
        return texts[0], texts[1]


class HouseServer:
    """The server, started with the first command and ended with this process."""

    def __init__(self) -> None:
        self.process: subprocess.Popen | None = None
        self.path = ""
        # The twins of a scenario are built by two threads.
        self.lock = threading.Lock()

    def _start(self) -> None:
        folder = tempfile.mkdtemp(prefix="tally_server_")
        self.path = f"{folder}/socket"
        self.log = open(f"{folder}/log", "wb")  # noqa: SIM115 (as long as the server)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.house_server", self.path],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=self.log,
            stderr=self.log,
        )
        while not os.path.exists(self.path):
            if self.process.poll() is not None:
                raise RuntimeError(f"the server of houses ended: see {folder}/log")
            time.sleep(0.05)

    def start(
        self, words: Sequence[str], environment: Mapping[str, str], room: int | None = None
    ) -> Command:
        """`python -m` with `words` (or dbt with those after the first).

        No file of it may grow beyond `room` bytes, if that is given, as on a disk that is full.
        """
        with self.lock:
            if self.process is None:
                self._start()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(self.path)
        out, error = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        files = array.array("i", [out.fileno(), error.fileno()])
        request = json.dumps(
            {"words": list(words), "environment": dict(environment), "room": room}
        ).encode()
        connection.sendmsg(
            [len(request).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)]
        )
        connection.sendall(request)
        pid = int.from_bytes(_read(connection, 4), "big")
        return Command(pid, connection, out, error)

    def run(
        self, words: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess:
        """The command to its end, with what it said."""
        command = self.start(words, environment)
        out, error = command.communicate()
        return subprocess.CompletedProcess(list(words), command.returncode, out, error)


def _read(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = connection.recv(size - len(found))
        if not part:
            raise RuntimeError("the server of houses ended")
        found += part
    return found


# The server's side


def _import_all() -> None:
    import importlib

    # Without dbt's own: psycopg2 and duckdb start no thread before they are used.
    for name in ("dbt.cli.main", "dbt.adapters.duckdb", "dbt.adapters.postgres", "agate"):
        importlib.import_module(name)
    for module in sorted((PROJECT / "orchestration").glob("[a-z]*.py")):
        # Dagster's entry imports what no command of a house needs.
        if module.stem == "definitions":
            continue
        importlib.import_module(f"orchestration.{module.stem}")


def _parse(engine: str) -> Any:
    """The project as dbt has it in memory, for a house of `engine` with no database's own name."""
    from dbt.cli.main import dbtRunner

    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            # It leaves threads behind, without which a child that parses would wait for ever.
            "DBT_STATIC_PARSER": "false",
            "DBT_TARGET_PATH": folder,
            "DBT_LOG_PATH": folder,
            "TALLY_DUCKDB_PATH": f"{folder}/tally.duckdb",
        }
        folders = ("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT))
        levels = ("--log-level", "none", "--log-level-file", "none")
        done = dbtRunner().invoke(["parse", *folders, "--target", engine, *levels])
    if not done.success:
        raise RuntimeError(f"the project cannot be parsed for {engine}: {done.exception}")
    for name in ("DBT_STATIC_PARSER", "DBT_TARGET_PATH", "DBT_LOG_PATH", "TALLY_DUCKDB_PATH"):
        del os.environ[name]
    return done.result


def _own(manifest: Any, engine: str) -> Any:
    """`manifest` with this process's own database and catalogue in it."""
    catalog = os.environ.get("TALLY_CATALOG", CATALOG)
    database = os.environ["TALLY_PG_DATABASE"] if engine == "postgres" else ""
    for node in (*manifest.nodes.values(), *manifest.sources.values()):
        if engine == "postgres":
            if node.relation_name:
                was, now = f'"{node.database}".', f'"{database}".'
                node.relation_name = node.relation_name.replace(was, now, 1)
            node.database = database
        if node.resource_type == "seed" and node.original_file_path.startswith(f"{CATALOG}/"):
            name = node.original_file_path.removeprefix(f"{CATALOG}/")
            node.original_file_path = f"{catalog}/{name}"
    return manifest


def _lend(manifests: dict[str, Any]) -> None:
    """Let dbt's runner take what was parsed, where the same would come out."""
    from dbt.cli import main

    class Runner(main.dbtRunner):
        def invoke(self, args: list[str], **more: Any) -> Any:
            options = dict(itertools.pairwise(args))
            engine = options.get("--target", os.environ.get("TALLY_TARGET", ""))
            folders = {options.get("--profiles-dir"), options.get("--project-dir")}
            is_plain = (
                not VERBS.isdisjoint(args)
                and set(yaml.safe_load(options.get("--vars", "{}"))) <= HARMLESS_VARS
                and folders <= {None, str(PROJECT)}
            )
            if engine in manifests and is_plain:
                self.manifest = _own(manifests[engine], engine)
            if "build" in args and os.environ.get(UNTESTED):
                args = [*args, "--exclude-resource-type", "test"]
            return super().invoke(args, **more)

    main.dbtRunner = Runner


def _run_dbt(arguments: list[str]) -> int:
    """dbt as its own command line runs it."""
    from dbt.cli.main import dbtRunner

    done = dbtRunner().invoke(arguments)
    if done.exception is not None:
        print(done.exception)
        return 2
    return 0 if done.success else 1


def _serve_one(connection: socket.socket, manifests: dict[str, Any]) -> int:
    """Become the command that `connection` asks for; its exit code."""
    size, files, *_ = socket.recv_fds(connection, 4, 2)
    request = json.loads(_read(connection, int.from_bytes(size, "big")))
    os.setsid()
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])
    if request["room"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["room"],) * 2)
    connection.sendall(os.getpid().to_bytes(4, "big"))
    module, *arguments = request["words"]
    sys.argv = [module, *arguments]
    if module != DBT:
        sys.modules.pop(module, None)
    _lend(manifests)
    # It ends before what it would free is missed.
    gc.disable()
    try:
        code = _run_dbt(arguments) if module == DBT else 0
        if module != DBT:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    sys.stdout.flush()
    sys.stderr.flush()
    # The client reads on until this process is gone, and its locks with it. What the interpreter
    # says of what was frozen when it ends is nobody's.
    os.write(os.dup(connection.detach()), str(code).encode())
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    return code


def main() -> None:
    path = sys.argv[1]
    _import_all()
    take_shortcuts()
    manifests = {engine: _parse(engine) for engine in ENGINES}
    for manifest in manifests.values():
        compile_templates(manifest)
    gc.collect()
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(f"{path}.new")
    listener.listen(64)
    os.rename(f"{path}.new", path)
    # Children are not waited for: the client sees them end.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    parent = os.getppid()
    listener.settimeout(5)
    while os.getppid() == parent:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        if os.fork():
            connection.close()
            continue
        listener.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        connection.setblocking(True)
        sys.exit(_serve_one(connection, manifests))


if __name__ == "__main__":
    main()

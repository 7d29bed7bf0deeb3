"""Commands of a house as processes that start with everything imported and the project parsed.

Importing dbt and parsing the project take longer than building a small house, so one process does
both once and forks for each command: a process of its own still, which ends, fails and can be
killed alone. What a build does after it has read the project is the same. The parsed project is
taken where it would come out the same: the house's own database and catalogue are put into it.
What was parsed for other vars or another profile (a side house, a preview) is kept in files, which
the servers of all workers share; only a command with another project's folder parses for itself.

    python -m tests.house_server SOCKET
"""

from __future__ import annotations

import array
import fcntl
import gc
import hashlib
import itertools
import json
import os
import pickle
import resource
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cache
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
#: The folder in which servers share what they have parsed; without it each has one of its own.
PARSED = "TALLY_HOUSE_PARSED"


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


@cache
def _runner() -> type:
    """dbt's own, which `_lend` takes the place of."""
    from dbt.cli.main import dbtRunner

    return dbtRunner


@contextmanager
def _environment(**values: str | None) -> Iterator[None]:
    """With these in the environment; one that is None is not in it."""
    before = {name: os.environ.get(name) for name in values}
    _set_environment(values)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def _parse(engine: str, profiles: str = str(PROJECT), variables: str = "{}") -> Any:
    """The project as dbt has it in memory, for a house of `engine` with no database's own name.

    None where it cannot be parsed so.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            # It leaves threads behind, without which a child that parses would wait for ever.
            "DBT_STATIC_PARSER": "false",
            "DBT_TARGET_PATH": folder,
            "DBT_LOG_PATH": folder,
            "TALLY_DUCKDB_PATH": f"{folder}/tally.duckdb",
            "TALLY_CATALOG": None,
        }
        folders = ("--project-dir", str(PROJECT), "--profiles-dir", profiles)
        options = ("--target", engine, "--vars", variables)
        levels = ("--log-level", "none", "--log-level-file", "none", "--quiet")
        with _environment(**environment):
            done = _runner()().invoke(["parse", *folders, *options, *levels])
    return done.result if done.success else None


class Parsed:
    """What was parsed, in files of a folder by all that it depends on; each is made once."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)

    def find(self, engine: str, profiles: str, variables: str) -> Any:
        """The project for `engine`, with the profile in `profiles`; None where it has a fault."""
        # A profile beside a file of a house's own says where that is, and else the same.
        text = Path(profiles, "profiles.yml").read_text()
        key = (engine, text.replace(str(Path(profiles).resolve()), ""), variables)
        name = hashlib.sha256(repr(key).encode()).hexdigest()
        return self._read_or_make(name, lambda: _parse(engine, profiles, variables))

    def _read_or_make(self, name: str, make: Callable[[], Any]) -> Any:
        from dbt.contracts.graph.manifest import Manifest

        path = self.folder / name
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                return Manifest(**pickle.loads(path.read_bytes()))
            made = make()
            if made is not None:
                new = path.with_suffix(".new")
                new.write_bytes(pickle.dumps(_fields(made)))
                new.rename(path)
            return made


def _fields(manifest: Any) -> dict[str, Any]:
    """What it is made of; dbt 1.11 pickles its own lookups too, some in another's place."""
    names = [field.name for field in fields(manifest) if not field.name.startswith("_")]
    return {name: getattr(manifest, name) for name in names}


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


def _lend(manifests: dict[str, Any], parsed: Parsed) -> None:
    """Let dbt's runner take what was parsed, where the same would come out."""
    from dbt.cli import main

    class Runner(_runner()):
        def invoke(self, args: list[str], **more: Any) -> Any:
            options = dict(itertools.pairwise(args))
            engine = options.get("--target", os.environ.get("TALLY_TARGET", ""))
            is_ours = options.get("--project-dir") in (None, str(PROJECT)) and engine in manifests
            if is_ours and not VERBS.isdisjoint(args):
                profiles = options.get("--profiles-dir", str(PROJECT))
                variables = yaml.safe_load(options.get("--vars", "{}"))
                if profiles == str(PROJECT) and set(variables) <= HARMLESS_VARS:
                    manifest = manifests[engine]
                else:
                    manifest = parsed.find(engine, profiles, json.dumps(variables, sort_keys=True))
                if manifest is not None:
                    self.manifest = _own(manifest, engine)
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


def _serve_one(connection: socket.socket, manifests: dict[str, Any], parsed: Parsed) -> int:
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
    _lend(manifests, parsed)
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
    # Two servers that start at once parse for one engine each, and take the other's.
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    engines = ENGINES if int(worker) % 2 == 0 else tuple(reversed(ENGINES))
    parsed = Parsed(os.environ.get(PARSED) or f"{path}.parsed")
    manifests = {engine: parsed.find(engine, str(PROJECT), "{}") for engine in engines}
    if None in manifests.values():
        raise RuntimeError(f"the project cannot be parsed: dbt parse says why ({manifests})")
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
        sys.exit(_serve_one(connection, manifests, parsed))


if __name__ == "__main__":
    main()

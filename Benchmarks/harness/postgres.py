"""A PostgreSQL of the benchmarks' own, with its usual settings: what it acknowledges is on disk."""

import contextlib
import dataclasses
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from .machine import SEARCH_PATH, BenchmarkError, program
from .running import Running
from .servers import scratch_directory

READY_WITHIN = 30  # seconds
OWNER = "postgres"

# A connection in use writes down what it has counted once a second at most, and not before its next
# transaction. (One that is not used any more takes ten seconds.)
STATISTICS_DELAY = 2.5


class Postgres(Running):
    """A running cluster that vanishes with its directory. It is reached over a socket only."""

    def __init__(self):
        self._scratch = scratch_directory()
        # Not beside the data: a socket's path may have 107 bytes, and the working copy may lie
        # deep.
        self._socket = tempfile.TemporaryDirectory(prefix="bench-")
        self._process = None
        self._names = (f"bench_{number}" for number in itertools.count(1))

    def start(self):
        self._make()
        self._run()

    def _make(self):
        for directory in (self._scratch.name, self._socket.name):
            if os.geteuid() == 0:
                shutil.chown(directory, OWNER, OWNER)
            os.chmod(directory, 0o755)
        initdb = ["initdb", "-D", self._data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8"]
        result = subprocess.run(_as_owner(initdb), env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True)
        if result.returncode:
            raise BenchmarkError(f"initdb failed: {result.stdout[-2000:]}")

    def _run(self):
        settings = {"listen_addresses": "", "unix_socket_directories": self._socket.name, "max_connections": 200}
        flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(_as_owner(["postgres", "-D", self._data, *flags]), env=_environment(),
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(BenchmarkError):
                self.database(OWNER).sql("SELECT 1")
                return
            time.sleep(0.05)
        raise BenchmarkError(f"PostgreSQL did not start; the end of its log:\n{self._log.read_text()[-2000:]}")

    def stop(self):
        if self._process:
            self._process.send_signal(signal.SIGINT)  # in good order, cutting every connection
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait()
        self._socket.cleanup()
        self._scratch.cleanup()

    @property
    def _data(self):
        return Path(self._scratch.name) / "data"

    @property
    def _log(self):
        return Path(self._scratch.name) / "log"

    def new_database(self):
        database = self.database(next(self._names))
        self.database(OWNER).sql(f"CREATE DATABASE {database.name}")
        return database

    @contextlib.contextmanager
    def passing_database(self):
        """One that is gone afterwards, and with it what it takes on disk."""
        database = self.new_database()
        yield database
        self.database(OWNER).sql(f"DROP DATABASE {database.name}")

    def database(self, name):
        return Database(self, name, f"postgres://{OWNER}@/{name}?host={self._socket.name}")

    def processor_seconds(self):
        """What all its processes have used so far, those that have ended as well."""
        pid = self._process.pid
        # The kernel adds up the ended ones for their parent, in ticks.
        ended = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[13:15]
        return sum(map(int, ended)) / os.sysconf("SC_CLK_TCK") + sum(map(_processor_seconds, [pid, *self._children()]))

    def connection_seconds(self, database):
        """What the processes have used so far that serve the connections of now to that
        database."""
        # Their titles: postgres: USER DATABASE [local] idle
        return sum(_processor_seconds(process) for process in self._children()
                   if f" {database.name} [" in Path(f"/proc/{process}/cmdline").read_text())

    def _children(self):
        pid = self._process.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

    def microseconds(self, work):
        """What each unit of some work costs the database, when `work` returns how many there
        were."""
        before = self.processor_seconds()
        count = work()
        return (self.processor_seconds() - before) * 1e6 / count


@dataclasses.dataclass(frozen=True)
class Database:
    server: Postgres
    name: str
    url: str

    def sql(self, *statements):
        """Runs each statement as a transaction of its own and returns the rows of all, as text."""
        command = [program("psql"), "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1",
                   *(part for statement in statements for part in ("-c", statement)), self.url]
        result = subprocess.run(command, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if result.returncode:
            raise BenchmarkError(f"psql failed: {result.stderr.strip()}")
        return result.stdout.splitlines()

    def settle(self):
        """Does now what the server would do about new rows later, in the middle of a
        measurement."""
        self.sql("VACUUM ANALYZE", "CHECKPOINT")

    def transactions(self):
        """How many there have been. Asked from outside, for the question would count as well."""
        (count,) = self.server.database(OWNER).sql(
            f"SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '{self.name}'")
        return int(count)

    def transactions_during(self, work):
        """How many there were while `work` was done, and what it returned."""
        time.sleep(STATISTICS_DELAY)
        before = self.transactions()
        result = work()
        time.sleep(STATISTICS_DELAY)
        return self.transactions() - before, result

    def bytes_per_row(self, table):
        """On disk, with the indexes."""
        (size,) = self.sql(f"SELECT pg_total_relation_size('{table}') / count(*)::float FROM {table}")
        return float(size)


def _processor_seconds(process):
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return 0


def _as_owner(command):
    """PostgreSQL refuses to run as root."""
    command = [program(command[0]), *map(str, command[1:])]
    if os.geteuid() != 0:
        return command
    return [program("setpriv"), "--reuid", OWNER, "--regid", OWNER, "--clear-groups", *command]


def _environment():
    # Nothing of the caller's, whose PGHOST or PGOPTIONS would change what is measured.
    return {"PATH": SEARCH_PATH, "LANG": "C.UTF-8"}

"""The machine and the programs on it: where they are, which versions they have."""

import json
import os
import platform
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
ROOT = BENCHMARKS.parent
VENV = ROOT / ".build" / "bench-venv"
# Databases lie on the disk of the working copy and not in /tmp, which is memory on many machines:
# there a durable commit would cost nothing.
SCRATCH = BENCHMARKS / ".build"

REST_AUTH = ROOT / ".build" / "release" / "rest-auth"
BARE_HUMMINGBIRD, ARGON2_LOOP, LIBPQ_LOOP, POSTGRES_READS, STEADY_LOAD = (
    BENCHMARKS / ".build" / "release" / name
    for name in ("bare-hummingbird", "argon2-loop", "libpq-loop", "postgres-reads", "steady-load"))
COMMIT_LOOP, INSERT_LOOP = BENCHMARKS / "commit_loop.py", BENCHMARKS / "insert_loop.py"


def _postgres_programs():
    """Where Debian keeps the programs of PostgreSQL, by version: that of the newest, in a list, or
    nothing."""
    versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
    return [str(path) for path in sorted(versions, key=lambda path: int(path.parent.name))[-1:]]


# Debian keeps nginx where only root's PATH leads. PostgreSQL comes first: what PATH has are
# wrappers that look for a server.
SEARCH_PATH = ":".join([*_postgres_programs(), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

# Everything runs on two cores, whatever the machine has: its figures are then comparable with those
# of a small one.
SERVER_CORE, CLIENT_CORE, BOTH_CORES = "0", "1", "0,1"


class BenchmarkError(Exception):
    """A figure could not be taken; the message says which and why."""


def program(name):
    path = shutil.which(name, path=SEARCH_PATH)
    if not path:
        raise BenchmarkError(f"{name} is not installed; dev/bench installs what is missing")
    return path


def on_cores(cores, command):
    """The command, kept to these cores (a list as taskset writes it)."""
    return [program("taskset"), "-c", cores, *map(str, command)]


def check():
    """Refuses before the first measurement what would spoil the last."""
    if not {0, 1} <= os.sched_getaffinity(0):
        raise BenchmarkError("the benchmarks need cores 0 and 1")
    for name in ("wrk", "nginx", "taskset", "setpriv", "initdb", "postgres", "psql", "pgbench"):
        program(name)
    for path in (REST_AUTH, BARE_HUMMINGBIRD, ARGON2_LOOP, LIBPQ_LOOP, POSTGRES_READS, STEADY_LOAD, VENV):
        if not path.exists():
            raise BenchmarkError(f"{path.relative_to(ROOT)} is missing; dev/bench builds it")


def busy_percent():
    """How busy the machine is at this moment with other work, which every figure would have to
    share it with."""
    def idle_and_total():
        times = list(map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9]))
        return times[3] + times[4], sum(times)

    idle, total = idle_and_total()
    time.sleep(2)
    later_idle, later_total = idle_and_total()
    return 100 * (1 - (later_idle - idle) / (later_total - total))


def description(busy):
    """One line for the results: what was measured on what."""
    python = VENV / "bin" / "python"
    packages = _output(python, "-c", "from importlib.metadata import version as v\n"
                       "print(*(f'{p} {v(p)}' for p in ('Flask', 'Flask-HTTPAuth', 'Flask-SQLAlchemy', 'Werkzeug',"
                       " 'PyJWT', 'gunicorn')), sep=', ')")
    return ", ".join([
        f"rest-auth {_output(REST_AUTH, '--version').split()[-1]}",
        f"Hummingbird {_resolved('hummingbird')}",
        f"libsodium {_output('pkg-config', '--modversion', 'libsodium')}",
        f"nginx {_output(program('nginx'), '-v').split('/')[-1]}",
        packages,
        _output(python, "--version"),
        f"SQLite {sqlite3.sqlite_version}",
        f"PostgreSQL {_output(program('postgres'), '--version').split()[2]}",
        f"wrk {_output(program('wrk'), '-v').split()[1]}",
        f"Linux {platform.release()}",
        f"{_cpu_model()}, 2 cores of {os.cpu_count()}",
        f"{busy:.0f} % busy with other work at the start",
    ])


def _output(*command):
    """What a program says about itself; some say it on stderr, and wrk with a status other than
    0."""
    return subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True).stdout.strip()


def _resolved(package):
    pins = json.loads((BENCHMARKS / "Package.resolved").read_text())["pins"]
    return next(pin["state"]["version"] for pin in pins if pin["identity"] == package)


def _cpu_model():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()

"""The servers: how each is started, when it is ready, what it costs the machine."""

import contextlib
import os
import secrets
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from . import client
from .machine import (BARE_HUMMINGBIRD, BENCHMARKS, BOTH_CORES, REST_AUTH, SCRATCH, SEARCH_PATH, VENV, BenchmarkError,
                      on_cores, program)
from .running import Running

READY_WITHIN = 15  # seconds
LOWEST_PRIORITY = 19


class Server(Running):
    """A running server. `command` gets the port and the directory in which the server keeps its
    files."""

    def __init__(self, name, command, cores=BOTH_CORES, directory=None, database=None, ready_path="/api/resource"):
        self.name = name
        self.database = database  # of a PostgreSQL, when it keeps its data there
        self.port = _free_port()
        self._ready_path = ready_path
        self._scratch = None if directory else scratch_directory()
        self.directory = Path(directory or self._scratch.name)
        command, extra_environment = command(self.port, self.directory)
        environment = _environment(self.directory, extra_environment)
        with open(self.directory / "log", "ab") as log:
            self._started = time.monotonic()
            self._process = subprocess.Popen(on_cores(cores, command), cwd=self.directory, env=environment,
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self):
        self.seconds_to_ready = self._wait_until_ready()

    def _wait_until_ready(self):
        """Asks every millisecond until there is an answer, whatever it says. Returns the seconds
        since the start."""
        while time.monotonic() < self._started + READY_WITHIN:
            with contextlib.suppress(OSError):
                client.ask(self.port, self._ready_path)
                return time.monotonic() - self._started
            if self._process.poll() is not None:
                break
            time.sleep(0.001)
        log = (self.directory / "log").read_text(errors="replace")
        raise BenchmarkError(f"{self.name} did not start; the end of its log:\n{log[-2000:]}")

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._scratch:
            self._scratch.cleanup()

    def memory(self, field):
        """A figure of /proc in MB (10^6 bytes): VmRSS, resident now, or VmHWM, the most that was
        ever resident.

        Of a server with several processes the largest counts alone: forked workers share most pages
        with their master, and to add them up would count those twice.
        """
        def megabytes(pid):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024 / 1e6

        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return max(megabytes(process) for process in [pid, *children])

    def seconds_beside_hashing(self):
        """The processor time used so far by all threads but those that hash, which the lowest
        priority gives away, and by the PostgreSQL server when there is one: SQLite does its work in
        those threads."""
        pid = self._process.pid
        process_clock = ~pid << 3 | 2  # what clock_getcpuclockid(3) gives; it still counts threads that have ended
        total = time.clock_gettime(process_clock)
        hashing = [thread / "schedstat" for thread in Path(f"/proc/{pid}/task").iterdir()
                   if os.getpriority(os.PRIO_PROCESS, int(thread.name)) == LOWEST_PRIORITY]
        if not hashing:
            raise BenchmarkError(f"{self.name} has no threads at the lowest priority")
        if self.database:
            total += self.database.server.processor_seconds()
        return total - sum(int(schedstat.read_text().split()[0]) for schedstat in hashing) / 1e9


def rest_auth(database=None, flags=(), **options):
    """With SQLite in its directory, unless there is a database of a PostgreSQL. `flags` are
    settings other than the defaults."""
    def command(port, directory):
        place, environment = _place_of_users(directory, database)
        return [REST_AUTH, "serve", "--port", port, *place, *flags], environment
    return Server("rest-auth", command, database=database, ready_path="/health/live", **options)


# All that one machine does in a benchmark, registering, signing in and looking users up, would be
# taken for a flood.
UNLIMITED = ["--registrations-per-hour", "none", "--sessions-per-hour", "none", "--user-lookups-per-hour", "none"]


def rest_auth_seconds(*arguments, directory, database=None):
    """How long a command takes, from its start to its end, with the users where those of a server
    would be."""
    place, environment = _place_of_users(directory, database)
    command = on_cores(BOTH_CORES, [REST_AUTH, *arguments, *place])
    started = time.monotonic()
    result = subprocess.run(command, cwd=directory, env=_environment(directory, environment), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seconds = time.monotonic() - started
    if result.returncode:
        raise BenchmarkError(f"rest-auth {arguments[0]} ended with status {result.returncode}: {result.stdout[-2000:]}")
    return seconds


def bare_hummingbird(**options):
    return Server("bare Hummingbird", lambda port, directory: ([BARE_HUMMINGBIRD, port], {}), **options)


def nginx(**options):
    return Server("nginx", _nginx_command("nginx.conf"), **options)


def asking_nginx(server, **options):
    """An nginx that asks that server before it answers."""
    command = _nginx_command("nginx-verify.conf", ASKED=f"127.0.0.1:{server.port}")
    return Server("nginx", command, ready_path="/open", **options)


def flask(workers, **options):
    def command(port, directory):
        return [VENV / "bin" / "gunicorn", "--chdir", BENCHMARKS / "flask_peer", "--preload", "--workers", workers,
                *GUNICORN_WORKER, "--graceful-timeout", 2, "--bind", f"127.0.0.1:{port}", "app:app"], {
                    "DATABASE_URL": f"sqlite:///{directory}/flask.sqlite"}
    return Server("Flask", command, **options)


# Threads keep connections alive, which gunicorn's default worker does not.
GUNICORN_WORKER = ["--worker-class", "gthread", "--threads", 4]


def scratch_directory():
    return tempfile.TemporaryDirectory(prefix="run-", dir=SCRATCH)


def _environment(directory, extra):
    # Only what every program needs: a DATABASE_URL or LOG_LEVEL of the caller must not change what
    # is measured.
    return {"PATH": SEARCH_PATH, "LANG": "C.UTF-8", "HOME": str(directory), **extra}


def _place_of_users(directory, database):
    """The flags that say where rest-auth keeps its users, and what it needs in the environment for
    that."""
    if database:
        return ["--database", database.url], {"SECRET_KEY": SECRET}
    return ["--database", f"sqlite:{directory}/{DATABASE}"], {}


DATABASE = "bench.sqlite"

# Every node over one database needs the same.
SECRET = secrets.token_hex(32)


def _nginx_command(file, **values):
    """PORT in the file, and each further name in `values`, stands for what is known only now."""
    def command(port, directory):
        configuration = (BENCHMARKS / file).read_text()
        for name, value in {"PORT": str(port), **values}.items():
            configuration = configuration.replace(name, value)
        (directory / "nginx.conf").write_text(configuration)
        return [program("nginx"), "-p", directory, "-e", "stderr", "-c", "nginx.conf"], {}
    return command


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

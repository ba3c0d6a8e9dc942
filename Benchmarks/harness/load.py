"""The load generators, each as a function that returns what it printed."""

import json
import re
import subprocess
from pathlib import Path

from .machine import (ARGON2_LOOP, BENCHMARKS, BOTH_CORES, COMMIT_LOOP, INSERT_LOOP, LIBPQ_LOOP, POSTGRES_READS,
                      STEADY_LOAD, BenchmarkError, on_cores, program)


def wrk(server, path, seconds, **options):
    """Closed-loop load; see `start_wrk`. Returns requests, seconds, p50_ms and p99_ms."""
    return finish_wrk(start_wrk(server, path, seconds, **options))


def start_wrk(server, path, seconds, connections=64, threads=1, cores=BOTH_CORES, authorization=None, script="report",
              arguments=()):
    """`script` is one of wrk/*.lua, `arguments` what it asks for."""
    command = [program("wrk"), f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
               "-s", f"{script}.lua"]
    if authorization:
        command += ["-H", f"Authorization: {authorization}"]
    command.append(f"http://127.0.0.1:{server.port}{path}")
    if arguments:
        command += ["--", *arguments]
    # The scripts require each other by name, so wrk has to start where they are.
    return subprocess.Popen(on_cores(cores, command), cwd=BENCHMARKS / "wrk", stdout=subprocess.PIPE, text=True)


def finish_wrk(process):
    output = process.communicate()[0]
    figures = json.loads(output.splitlines()[-1])
    if figures["failed"] or not figures["requests"]:
        raise BenchmarkError(f"wrk saw {figures['failed']} failures in {figures['requests']} requests")
    figures["per_second"] = figures["requests"] / figures["seconds"]
    return figures


def steady_load(server, path, rate, seconds, authorization):
    """Open-loop load; returns p50_ms, p99_ms and max_ms since the moment each request was due."""
    figures = _json(STEADY_LOAD, "127.0.0.1", server.port, path, rate, seconds, STEADY_CONNECTIONS, authorization)
    if figures["ok"] != figures["sent"]:
        raise BenchmarkError(f"{figures['sent'] - figures['ok']} of {figures['sent']} steady requests failed")
    return figures


# Enough that a request never waits for a connection unless the server is late with sixteen others.
STEADY_CONNECTIONS = 16


def argon2_loop(threads, seconds):
    """Verifications per second."""
    return _json(ARGON2_LOOP, threads, seconds)["per_second"]


def insert_loop(database, file):
    """The users of a file of JSON lines stored in that database, in one transaction, per second."""
    return _json(INSERT_LOOP, database, file)["per_second"]


def commit_loop(database, seconds):
    """Durable commits on that file: per_second and p99_ms."""
    return _json(COMMIT_LOOP, database, seconds)


def user_reads(database, users, seconds, tasks=64):
    """Users read by a random id through rest-auth's storage, per second."""
    return _json(POSTGRES_READS, database.url, users, tasks, seconds)["per_second"]


def pgbench(database, script, clients, seconds, **variables):
    """Transactions per second; `script` is one of pgbench/*.sql."""
    defined = [part for name, value in variables.items() for part in ("-D", f"{name}={value}")]
    output = _output(program("pgbench"), "-n", "-M", "prepared", "-c", clients, "-j", 2, "-T", seconds, *defined,
                     "-f", BENCHMARKS / "pgbench" / f"{script}.sql", database.url)
    return float(re.search(r"^tps = ([\d.]+)", output, re.MULTILINE).group(1))


def libpq_loop(database, connections, seconds):
    """Sessions read and updated by bare libpq: count and per_second. There must be a session for
    each connection."""
    return _json(LIBPQ_LOOP, database.url, connections, seconds)


def _json(*command):
    return json.loads(_output(*command))


def _output(program, *arguments):
    result = subprocess.run(on_cores(BOTH_CORES, [program, *arguments]), stdout=subprocess.PIPE, text=True)
    if result.returncode:
        raise BenchmarkError(f"{Path(program).name} ended with status {result.returncode}")
    return result.stdout

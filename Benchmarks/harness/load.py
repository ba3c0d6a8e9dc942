"""The load generators, each as a function that returns what it printed."""

import json
import subprocess

from .machine import (ARGON2_LOOP, BENCHMARKS, BOTH_CORES, COMMIT_LOOP, STEADY_LOAD, BenchmarkError, on_cores,
                      program)


def wrk(server, path, seconds, **options):
    """Closed-loop load; see `start_wrk`. Returns requests, seconds, p50_ms and p99_ms."""
    return finish_wrk(start_wrk(server, path, seconds, **options))


def start_wrk(server, path, seconds, connections=64, threads=1, cores=BOTH_CORES, authorization=None, script="report",
              argument=None):
    """`script` is one of wrk/*.lua, `argument` what it asks for."""
    command = [program("wrk"), f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", f"{script}.lua"]
    if authorization:
        command += ["-H", f"Authorization: {authorization}"]
    command.append(f"http://127.0.0.1:{server.port}{path}")
    if argument is not None:
        command += ["--", argument]
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


def commit_loop(database, seconds):
    """Durable commits on that file: per_second and p99_ms."""
    return _json(COMMIT_LOOP, database, seconds)


def _json(*command):
    result = subprocess.run(on_cores(BOTH_CORES, command), stdout=subprocess.PIPE, text=True)
    if result.returncode:
        raise BenchmarkError(f"{command[0].name} ended with status {result.returncode}")
    return json.loads(result.stdout)

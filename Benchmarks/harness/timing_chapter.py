"""Whether a stopwatch tells an unknown user from a wrong password, through HTTP and with everything
on."""

import contextlib
import hashlib
import http.client
import math
import random
import sqlite3
import statistics
import time

from . import client, servers
from .figures import Figure, at_least
from .filler import fill_users

RUNS = 3
PAIRS = 2000


def same_work(effort):
    """Each pair is a wrong password for a user and one for a name that nobody has, in random order,
    on one connection. Every name is tried once in a run, so that nobody has to wait; the counting
    itself is on."""
    pairs = PAIRS if effort.rounds > 1 else PAIRS // 10
    return [figure(kinds, hashes, pairs) for kinds, hashes in KINDS.items()]


def figure(kinds, hashes, pairs):
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(servers.scratch_directory())
        options = dict(directory=directory, flags=["--account-failures", "100", "--network-failures", "1000000",
                                                   "--hashing-budget", "1000000"])
        with servers.rest_auth(**options) as server:  # it makes the database
            client.register(server.port)
        database = f"{directory}/{servers.DATABASE}"
        fill_users(database, pairs + 1)
        names = give_hashes(database, hashes)
        server = stack.enter_context(servers.rest_auth(**options))
        p = [mann_whitney(*guess(server.port, names, random.Random(run))) for run in range(RUNS)]
    return Figure(f"Unknown user or wrong password, {kinds}, {pairs:,} pairs: least Mann-Whitney p of {RUNS} runs", "p",
                  [min(p)], target=at_least(0.01, ""))


def give_hashes(database, hashes):
    """Gives the users those hashes in turn, where there are any, and returns their names."""
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        names = [name for (name,) in connection.execute("SELECT username FROM users WHERE id > 1")]
        if hashes:
            connection.executemany("UPDATE users SET password_hash = ? WHERE username = ?",
                                   ((hashes[number % len(hashes)], name) for number, name in enumerate(names)))
    return names


def guess(port, names, chance):
    """The seconds that each guess took: those at users, and those at names that nobody has."""
    names = chance.sample(names, len(names))
    known, unknown = [], []
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        for name in names:
            pair = [(name, known), (f"{chance.getrandbits(64):016x}", unknown)]
            chance.shuffle(pair)
            for username, seconds in pair:
                headers = {"Authorization": client.basic(username, "wrong")}
                start = time.perf_counter()
                connection.request("GET", "/api/token", headers=headers)
                response = connection.getresponse()
                response.read()
                seconds.append(time.perf_counter() - start)
                client.check_status(401, response.status, b"")
    return known, unknown


def mann_whitney(first, second):
    """The probability of a difference like this, or a greater one, between samples of one
    distribution (two-sided, normal approximation, which is good for thousands)."""
    ranked = sorted([(value, 0) for value in first] + [(value, 1) for value in second])
    ranks = sum(rank for rank, (_, sample) in enumerate(ranked, 1) if sample == 0)
    n, m = len(first), len(second)
    u = ranks - n * (n + 1) / 2
    z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return 2 * (1 - statistics.NormalDist().cdf(abs(z)))


def werkzeug_pbkdf2(rounds):
    salt = "timingtiming"
    return f"pbkdf2:sha256:{rounds}${salt}${hashlib.pbkdf2_hmac('sha256', b'other', salt.encode(), rounds).hex()}"


def werkzeug_scrypt():
    salt = "timingtiming"
    digest = hashlib.scrypt(b"other", salt=salt.encode(), n=2**14, r=8, p=1, maxmem=2**26)
    return f"scrypt:16384:8:1${salt}${digest.hex()}"


KINDS = {
    "own hashes": [],
    "imported hashes of one kind": [werkzeug_pbkdf2(20_000)],
    "imported hashes of three kinds": [werkzeug_pbkdf2(20_000), werkzeug_pbkdf2(50_000), werkzeug_scrypt()],
}

CHAPTERS = [same_work]

"""Fills a database with users and revocations, faster than anyone could register or sign out."""

import contextlib
import random
import sqlite3
import time
import uuid


def fill_users(database, count):
    """Adds users until there are `count`, all with the password of the one already registered. No server may run.

    Returns the names of some of them. Names are random, as in life: names in order would pack the index more tightly.
    """
    chance = random.Random(1)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        (password_hash,) = connection.execute("SELECT password_hash FROM users WHERE id = 1").fetchone()
        names = [f"{chance.getrandbits(64):016x}" for _ in range(count - 1)]
        now = time.time()
        connection.execute("PRAGMA cache_size = -1000000")  # 1 GB: the index is filled in random order
        with connection:
            connection.executemany(
                "INSERT INTO users (username, canonical_username, password_hash, created_at, password_changed_at)"
                " VALUES (?, ?, ?, ?, ?)",
                ((name, name, password_hash, now, now) for name in names))
    return chance.sample(names, min(len(names), 10_000))


def fill_revocations(database, count):
    """Adds `count` live lines of ended sessions, the last of them for the one session that there is. No server may run.

    That session keeps its row, so its tokens are good until a server has read the log to the end.
    """
    chance = random.Random(1)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        ((session,),) = connection.execute("SELECT id FROM sessions")
        ended = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(count - 1)] + [session]
        now = time.time()
        with connection:
            connection.executemany(
                "INSERT INTO revocations (session_id, is_refused, at) VALUES (?, 1, ?)", ((id, now) for id in ended))

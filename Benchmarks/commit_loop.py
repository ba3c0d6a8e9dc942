#!/usr/bin/env python3
"""What durable commits cost by themselves: SQLite, one thread, one row updated by its key in each
transaction.

Arguments: the database (made when missing) and how many seconds. Prints one line of JSON.
"""

import contextlib
import json
import secrets
import sqlite3
import sys
import time


def main(database, seconds):
    # Without an isolation level, each statement is a transaction.
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, digest BLOB NOT NULL)")
        connection.execute("INSERT OR REPLACE INTO entries VALUES (1, zeroblob(32))")
        durations = list(commits(connection, seconds))
    print(json.dumps({"per_second": len(durations) / sum(durations), "p99_ms": percentile(99, durations) * 1e3}))


def commits(connection, seconds):
    """Updates until the time is up; yields the seconds that each took."""
    start = now = time.monotonic()
    while now < start + seconds:
        connection.execute("UPDATE entries SET digest = ? WHERE id = 1", [secrets.token_bytes(32)])
        before, now = now, time.monotonic()
        yield now - before


def percentile(percent, values):
    return sorted(values)[len(values) * percent // 100]


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))

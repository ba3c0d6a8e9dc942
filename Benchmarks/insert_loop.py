#!/usr/bin/env python3
"""What storing users costs by itself: SQLite, one thread, all rows in one transaction.

Arguments: the database, which has the tables and no users, and the users as JSON lines. Prints one
line of JSON. The time is from opening the database to having closed it; the rows are in memory
before.
"""

import contextlib
import json
import sqlite3
import sys
import time


def main(database, file):
    rows = list(read(file))
    start = time.monotonic()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        with connection:
            connection.executemany(
                "INSERT INTO users (id, username, canonical_username, password_hash, created_at, password_changed_at)"
                " VALUES (?, ?, ?, ?, ?, ?)", rows)
    print(json.dumps({"per_second": len(rows) / (time.monotonic() - start)}))


def read(file):
    now = time.time()
    with open(file) as lines:
        for user in map(json.loads, lines):
            yield user["id"], user["username"], user["username"], user["password_hash"], now, now


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

"""The measurement of bringing users in from another system."""

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from . import servers
from .figures import at_least, compare, interleaved
from .foreign_users import COPIED, foreign_users, write_copy, write_json_lines
from .load import insert_loop
from .machine import BenchmarkError
from .postgres import Postgres

USERS = 200_000


def imports(effort):
    """Users brought in by one command, into an empty database, from its start to its end. The peers
    check nothing: one has the rows in memory, the other in a file as the database itself would
    write it."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(servers.scratch_directory()))
        lines, rows = directory / "users.jsonl", directory / "users.copy"
        write_json_lines(lines, foreign_users(USERS))
        write_copy(rows, foreign_users(USERS))
        postgres = stack.enter_context(Postgres())
        os.sync()  # what has just been written would else be written during a measurement
        sqlite = interleaved(effort.rounds, {
            "rest-auth": lambda: imports_per_second(lines),
            "bare SQLite inserts": lambda: inserts_per_second(lines),
        })
        with_postgres = interleaved(effort.rounds, {
            "rest-auth": lambda: postgres_imports_per_second(postgres, lines),
            "psql's copy": lambda: copies_per_second(postgres, rows),
        })
    return (compare("Users imported, two cores", "users/s", sqlite, targets={
                "bare SQLite inserts": at_least(100_000, "users/s")})
            + compare("Users imported into PostgreSQL, two cores", "users/s", with_postgres))


def imports_per_second(lines):
    with servers.scratch_directory() as directory:
        seconds = import_seconds(lines, directory)
        with contextlib.closing(sqlite3.connect(Path(directory) / servers.DATABASE)) as connection:
            expect_all(*connection.execute("SELECT count(*) FROM users").fetchone())
    return USERS / seconds


def inserts_per_second(lines):
    with servers.scratch_directory() as directory:
        with servers.rest_auth(directory=directory):
            pass  # it makes the tables
        return insert_loop(Path(directory) / servers.DATABASE, lines)


def postgres_imports_per_second(postgres, lines):
    with postgres.passing_database() as database, servers.scratch_directory() as directory:
        seconds = import_seconds(lines, directory, database)
        expect_all(*database.sql("SELECT count(*) FROM users"))
    return USERS / seconds


def copies_per_second(postgres, rows):
    with postgres.passing_database() as database:
        with servers.rest_auth(database=database):
            pass  # it makes the tables
        start = time.monotonic()
        database.sql(f"\\copy users ({COPIED}) FROM '{rows}'")
        return USERS / (time.monotonic() - start)


def import_seconds(lines, directory, database=None):
    return servers.rest_auth_seconds("users", "import", "--jsonl", lines, directory=directory, database=database)


def expect_all(count):
    if int(count) != USERS:
        raise BenchmarkError(f"of {USERS} users {count} are there after the import")


CHAPTERS = [imports]

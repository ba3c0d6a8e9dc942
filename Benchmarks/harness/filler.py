"""Fills a database with users and revocations, faster than anyone could register or sign out."""

import contextlib
import random
import sqlite3
import time
import uuid


def fill_users(database, count):
    """Adds users until there are `count`, all with the password of the one already registered. No
    server may run.

    All have signed in from here before: who comes from somewhere new costs a commit more, and among
    many users more would. Returns the names of some of them. Names are random, as in life: names in
    order would pack the index more tightly.
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
            connection.execute(
                "INSERT OR IGNORE INTO known_origins (user_id, network, seen_at) SELECT id, ?, ? FROM users",
                (HOME, now))
    return chance.sample(names, min(len(names), 10_000))


# The network that the load comes from.
HOME = "127.0.0.0/24"


def fill_postgres_users(database, count):
    """The same in a database of a PostgreSQL."""
    database.sql(
        f"""
        INSERT INTO users (username, canonical_username, password_hash, created_at, password_changed_at)
        SELECT name, name, password_hash, now(), now()
        FROM users, generate_series(2, {count}) AS number, substr(md5(number::text), 1, 16) AS name WHERE users.id = 1
        """,
        f"""
        INSERT INTO known_origins (user_id, network, seen_at) SELECT id, '{HOME}', now() FROM users
        ON CONFLICT DO NOTHING
        """)
    database.settle()
    return database.sql("SELECT username FROM users WHERE id > 1 ORDER BY md5(username) LIMIT 10000")


def fill_postgres_sessions(database, count):
    """Adds `count` sessions that have been renewed once, spread over the users, with ids in the
    order of creation."""
    database.sql(
        f"""
        INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, address, user_agent, generation,
            refresh_digest, previous_digest)
        SELECT (lpad(to_hex(1700000000000 + number), 12, '0') || substr(md5(number::text), 13))::uuid, id,
            now(), now(), now() + number * interval '1 second', '192.0.2.1', '{BROWSER}', 1,
            sha256(number::text::bytea), sha256(id::text::bytea)
        FROM generate_series(1, {count}) AS number
            JOIN users ON id = 1 + number % (SELECT count(*) FROM users)
        ORDER BY number
        """)
    database.settle()


# As long as what browsers call themselves.
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"


def fill_postgres_revocations(database, count):
    """Adds `count` lines of ended sessions."""
    database.sql(
        f"""
        INSERT INTO revocations (number, session_id, is_refused, at)
        SELECT last_number + line, gen_random_uuid(), true, now()
        FROM revocation_counter, generate_series(1, {count}) AS line
        """,
        f"UPDATE revocation_counter SET last_number = last_number + {count}")
    database.settle()


def fill_events(database, count):
    """Adds `count` events of sign-ins, spread over the users, which a server has yet to seal. No
    server may run."""
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        users = [id for (id,) in connection.execute("SELECT id FROM users")]
        now = time.time()
        connection.executemany(
            "INSERT INTO audit_events (at, name, user_id, session_id, actor_kind, actor_id, request_id, address,"
            " user_agent, details) VALUES (?, 'session.started', ?, ?, 'user', ?, ?, '192.0.2.1', ?, '{}')",
            ((now, user, str(uuid.UUID(int=number)), str(user), f"{number:016x}", BROWSER)
             for number in range(count) for user in [users[number % len(users)]]))


def fill_postgres_events(database, count):
    """The same in a database of a PostgreSQL."""
    database.sql(
        f"""
        INSERT INTO audit_events (at, name, user_id, session_id, actor_kind, actor_id, request_id, address,
            user_agent, details)
        SELECT now(), 'session.started', id, gen_random_uuid(), 'user', id::text, lpad(to_hex(number), 16, '0'),
            '192.0.2.1', '{BROWSER}', '{{}}'
        FROM generate_series(1, {count}) AS number
            JOIN users ON id = 1 + number % (SELECT count(*) FROM users)
        ORDER BY number
        """)
    database.settle()


def has_unsealed_events(file=None, database=None):
    """Whether there are events that a server has yet to seal, in a file of SQLite or in a database
    of a PostgreSQL."""
    query = "SELECT 1 FROM audit_events WHERE number IS NULL LIMIT 1"
    if database:
        return bool(database.sql(query))
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchone() is not None


def fill_revocations(database, count):
    """Adds `count` live lines of ended sessions, the last of them for the one session that there
    is. No server may run.

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

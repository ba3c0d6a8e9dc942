"""The audit trail: what its length costs a sign-in, and how fast it is verified."""

import contextlib
import time

from . import servers
from .chapters import FEW_USERS, LOGINS, compare_sizes, filled, microseconds_beside_hashing
from .figures import Figure, at_least
from .filler import fill_events, fill_postgres_events, has_unsealed_events
from .load import wrk
from .postgres import Postgres

FEW_EVENTS = 1_000


def audit(effort):
    """A sign-in less the hash, with its durable session and event, after many others; and `audit
    verify`."""
    with contextlib.ExitStack() as stack:
        return measure(stack, effort, "")


def postgres_audit(effort):
    """The same with PostgreSQL."""
    with contextlib.ExitStack() as stack:
        return measure(stack, effort, " with PostgreSQL", stack.enter_context(Postgres()))


def measure(stack, effort, place, postgres=None):
    databases = {events: postgres and postgres.new_database() for events in (FEW_EVENTS, effort.many_events)}
    starts = {events: recorded(stack, events, database) for events, database in databases.items()}
    many = effort.many_events
    verified = [events_per_second(starts[many], databases[many], many) for _ in range(effort.rounds)]
    return [
        compare_sizes(f"Sign-in less the hash{place}", "µs", session_microseconds, starts, effort, of="events",
                      bound=1.1),
        Figure(f"Events verified{place}, {many:,} events", "events/s", verified,
               target=at_least(100_000, "events/s")),
    ]


def recorded(stack, events, database):
    """Makes users and that many sealed events. Returns what starts a server with them."""
    start = filled(stack, FEW_USERS, database)
    directory = start.keywords["directory"]
    file = directory / servers.DATABASE
    if database:
        fill_postgres_events(database, events)
    else:
        fill_events(file, events)
    with start():
        while has_unsealed_events(file, database):
            time.sleep(0.1)
    if database:
        database.settle()
    return start


def session_microseconds(server, events, effort):
    return microseconds_beside_hashing(server, lambda: wrk(
        server, "/api/tokens", effort.seconds, connections=1, script="random_session",
        arguments=[server.directory / LOGINS]))


def events_per_second(start, database, events):
    """Of the command alone, from its start to its end."""
    directory = start.keywords["directory"]
    return events / servers.rest_auth_seconds("audit", "verify", directory=directory, database=database)


CHAPTERS = [audit, postgres_audit]

"""The measurements with PostgreSQL. The database shares the two cores with everything else, as on a
small machine where it is not on one of its own; its settings are the usual ones, so what is
acknowledged is on disk."""

import contextlib
import dataclasses
import time

from . import client, servers
from .chapters import (CORES, FEW_USERS, compare_sizes, filled, greetings_by_token, refresh, refresh_tokens,
                       registration_microseconds, registrations_per_second, sign_in_microseconds, sign_ins,
                       start_refresh, user_by_id_microseconds)
from .filler import fill_postgres_revocations, fill_postgres_sessions
from .figures import Figure, at_most, compare, interleaved, percentile, ratio_at_least
from .load import argon2_loop, finish_wrk, libpq_loop, pgbench, start_wrk, user_reads, wrk
from .machine import CLIENT_CORE, SERVER_CORE
from .postgres import STATISTICS_DELAY, Postgres

# How many connections of a node write, by default.
WRITERS = 4


def postgres_reads(effort):
    """Users read by id through our own client, against the program that comes with PostgreSQL for
    such measurements."""
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(Postgres()).new_database()
        filled(stack, FEW_USERS, database)

        def best_of_pgbench():
            return max(pgbench(database, "user_by_id", clients, effort.seconds, users=FEW_USERS) for clients in (8, 16))

        measured = interleaved(effort.rounds, {
            "rest-auth": lambda: user_reads(database, FEW_USERS, effort.seconds),
            "pgbench": best_of_pgbench,
        })
    return compare("Users read from PostgreSQL, without HTTP, two cores", "reads/s", measured,
                   targets={"pgbench": ratio_at_least(1)})


def postgres_writes(effort):
    """What is a durable commit, with PostgreSQL and with SQLite. Users are many, as in life: who
    signs in locks a row."""
    # As for passwords: there are few answers in a second.
    slow = dataclasses.replace(effort, seconds=2 * effort.seconds)
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(Postgres()).new_database()
        ours = stack.enter_context(filled(stack, FEW_USERS, database)())
        sqlite = stack.enter_context(filled(stack, FEW_USERS)())

        registrations = interleaved(effort.rounds, {
            "rest-auth": lambda: registrations_per_second(ours, slow),
            "with SQLite": lambda: registrations_per_second(sqlite, slow),
            "Argon2id loop": lambda: argon2_loop(CORES, slow.seconds),
        })
        signed_in = interleaved(effort.rounds, {
            "rest-auth": lambda: sign_ins(ours, slow.seconds)["per_second"],
            "with SQLite": lambda: sign_ins(sqlite, slow.seconds)["per_second"],
            "Argon2id loop": lambda: argon2_loop(CORES, slow.seconds),
        })
        refreshes = interleaved(effort.rounds, {
            "rest-auth": lambda: refresh(ours, effort.seconds, sessions=8)["per_second"],
            "with SQLite": lambda: refresh(sqlite, effort.seconds, sessions=8)["per_second"],
            "bare libpq": lambda: libpq_loop(database, WRITERS, effort.seconds)["per_second"],
        })
    return (compare("Registrations with PostgreSQL, two cores", "registrations/s", registrations)
            + compare("Sign-ins with PostgreSQL, two cores", "sign-ins/s", signed_in)
            + compare("Refreshes with PostgreSQL, two cores", "refreshes/s", refreshes))


def postgres_tokens(effort):
    """The token route, which should not notice the database: what it costs, and what the database
    sees of it."""
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(Postgres()).new_database()
        ours = stack.enter_context(servers.rest_auth(database=database, cores=SERVER_CORE))
        sqlite = stack.enter_context(servers.rest_auth(cores=SERVER_CORE))
        for server in (ours, sqlite):
            client.register(server.port)
        speed = interleaved(effort.rounds, {
            "rest-auth": lambda: greetings_by_token(ours, effort),
            "with SQLite": lambda: greetings_by_token(sqlite, effort),
        })

        second = stack.enter_context(servers.rest_auth(database=database, cores=SERVER_CORE))
        transactions = interleaved(effort.rounds, {
            "first": lambda: transactions_per_token(ours, ours, effort.seconds),
            "second": lambda: transactions_per_token(second, ours, effort.seconds),
        })
    return compare("Token route with PostgreSQL, one core", "requests/s", speed,
                   targets={"with SQLite": ratio_at_least(0.95)}) + [
        Figure(f"Database transactions for a token seen before, {node} of two nodes", "per request", rounds,
               target=at_most(0.001, "per request"))
        for node, rounds in transactions.items()]


def transactions_per_token(server, issuer, seconds):
    """Counted by the database, less what it counts when nobody asks: nodes read the log and the
    keys on a timer."""
    authorization = client.token_authorization(issuer.port)
    client.expect_greeting(server.port, authorization)  # from now on it is known
    loaded, requests = server.database.transactions_during(
        lambda: wrk(server, "/api/resource", seconds, cores=CLIENT_CORE, authorization=authorization)["requests"])
    idle, _ = server.database.transactions_during(lambda: time.sleep(seconds))
    return max(0, loaded - idle) / requests


def two_nodes(effort):
    """Two nodes over one database against one. Each node has one core, and shares it with the load
    and the database: what two would do on machines of their own this does not say."""
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(Postgres()).new_database()
        first = stack.enter_context(servers.rest_auth(database=database, cores=SERVER_CORE))
        client.register(first.port)
        second = stack.enter_context(servers.rest_auth(database=database, cores=CLIENT_CORE))

        tokens = interleaved(effort.rounds, {
            "rest-auth": lambda: greetings_together([first, second], effort.seconds),
            "one node": lambda: greetings_together([first, first], effort.seconds),
        })
        refreshes = interleaved(effort.rounds, {
            "rest-auth": lambda: refreshes_together([first, second], effort.seconds),
            "one node": lambda: refreshes_together([first, first], effort.seconds),
        })
        refusals = interleaved(40 * effort.rounds, {
            "other": lambda: milliseconds_until_refused(ended_at=first, asked=second),
            "same": lambda: milliseconds_until_refused(ended_at=first, asked=first),
        })

    def refusal(percent, target=None):
        other, same = (percentile(percent, refusals[node]) for node in ("other", "same"))
        return Figure(f"p{percent} until the other node refuses a session that was ended", "ms", [other],
                      "same node", [same], target, label="other node")

    place = "one core each, shared with load and database"
    return [
        Figure(f"Token route, two nodes, {place}", "requests/s", tokens["rest-auth"], "one node", tokens["one node"],
               label="two nodes"),
        Figure(f"Refreshes, two nodes, {place}", "refreshes/s", refreshes["rest-auth"],
               "one node", refreshes["one node"], label="two nodes"),
        refusal(50), refusal(99, at_most(100, "ms")),
    ]


def greetings_together(nodes, seconds):
    """A load for each of them at the same time, all with one token of the first. A node named twice
    gets both."""
    authorization = client.token_authorization(nodes[0].port)

    def measure(seconds):
        return together([start_wrk(node, "/api/resource", seconds, connections=32, authorization=authorization)
                         for node in nodes])

    measure(1)  # warm
    return measure(seconds)


def refreshes_together(nodes, seconds):
    tokens = [refresh_tokens(node, sessions=4) for node in nodes]
    return together([start_refresh(node, seconds, file) for node, file in zip(nodes, tokens)])


def together(loads):
    return sum(finish_wrk(load)["per_second"] for load in loads)


def milliseconds_until_refused(ended_at, asked):
    """From the moment the end of a session is acknowledged until its token is good for nothing."""
    authorization = "Bearer " + client.sign_in(ended_at.port)["access_token"]
    client.expect_greeting(asked.port, authorization)
    client.sign_out(ended_at.port, authorization)
    return client.seconds_until_refused(asked.port, authorization) * 1000


def postgres_size(effort):
    """As `database_size`. Less the hash, the processor time of the database counts as well as that
    of the node."""
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(Postgres())
        starts = {users: filled(stack, users, postgres.new_database()) for users in (FEW_USERS, effort.many_users)}
        return [  # registrations last, for they add users
            compare_sizes(
                "A user by id with PostgreSQL", "µs", user_by_id_microseconds, starts, effort, cores=SERVER_CORE),
            compare_sizes("Sign-in less the hash with PostgreSQL", "µs", sign_in_microseconds, starts, effort),
            compare_sizes(
                "Registration less the hash with PostgreSQL", "µs", registration_microseconds, starts, effort),
        ]


def postgres_costs(effort):
    """What one of each costs the database, for whoever plans its machine."""
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(Postgres())
        database = postgres.new_database()
        start = filled(stack, FEW_USERS, database)
        with start() as node:
            time.sleep(12)  # what is only done at the start is over, and the database has counted it
            idle = interleaved(effort.rounds, {
                "time": lambda: idle_milliseconds(database, 3 * effort.seconds),
                "transactions": lambda: idle_transactions(database, 3 * effort.seconds),
            })
            refreshes = interleaved(effort.rounds, {
                "rest-auth": lambda: postgres.microseconds(
                    lambda: refresh(node, effort.seconds, sessions=8)["requests"]),
                "bare libpq": lambda: postgres.microseconds(
                    lambda: libpq_loop(database, WRITERS, effort.seconds)["count"]),
            })
            sign_in_rounds = [postgres.microseconds(lambda: sign_ins(node, effort.seconds)["requests"])
                              for _ in range(effort.rounds)]
        sizes = bytes_per_row(postgres.new_database(), stack)
    return compare("Database's processor time, a refresh", "µs", refreshes) + [
        Figure("Database's processor time, a sign-in", "µs", sign_in_rounds),
        Figure("Database's processor time, an idle node, each second", "ms", idle["time"]),
        Figure("Database transactions, an idle node, each second", "transactions", idle["transactions"]),
    ] + [Figure(f"On disk in PostgreSQL, {thing}", "bytes", [size]) for thing, size in sizes.items()]


def idle_milliseconds(database, seconds):
    """The processor time that the connections of a node take in a second when nobody asks for
    anything."""
    before = database.server.connection_seconds(database)
    time.sleep(seconds)
    return (database.server.connection_seconds(database) - before) * 1000 / seconds


def idle_transactions(database, seconds):
    count, _ = database.transactions_during(lambda: time.sleep(seconds))
    return count / (seconds + STATISTICS_DELAY)


def bytes_per_row(database, stack, count=100_000):
    """With the indexes, just filled: rows that were changed since take more, until the database has
    cleaned up."""
    filled(stack, count, database)
    fill_postgres_sessions(database, count)
    fill_postgres_revocations(database, count)
    return {thing: database.bytes_per_row(table) for thing, table in (
        ("a user", "users"), ("a session", "sessions"), ("a line of the revocation log", "revocations"))}


CHAPTERS = [postgres_reads, postgres_writes, postgres_tokens, two_nodes, postgres_size, postgres_costs]

"""The measurements. A chapter starts the servers it needs, measures, and returns figures.

Where a chapter says one core, server and client have one each; otherwise they share two, as on a
small machine.
"""

import contextlib
import dataclasses
import functools
import secrets
import time
from pathlib import Path

from . import client, servers
from .filler import fill_postgres_users, fill_revocations, fill_users
from .figures import Figure, at_most, compare, interleaved, ratio_at_least, ratio_at_most
from .load import argon2_loop, commit_loop, finish_wrk, start_wrk, wrk
from .machine import BOTH_CORES, CLIENT_CORE, SERVER_CORE

CORES = 2


@dataclasses.dataclass(frozen=True)
class Effort:
    rounds: int
    seconds: int
    launches: int
    many_users: int = 1_000_000
    many_events: int = 1_000_000


def token_route(effort):
    """`GET /api/resource` by token on one core, against the same bytes from servers that check
    nothing."""
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(servers.rest_auth(cores=SERVER_CORE))
        flask = stack.enter_context(servers.flask(workers=1, cores=SERVER_CORE))
        bare = stack.enter_context(servers.bare_hummingbird(cores=SERVER_CORE))
        nginx = stack.enter_context(servers.nginx(cores=SERVER_CORE))
        for server in (ours, flask):
            client.register(server.port)

        # The peers that check nothing get a header of the same length.
        same_length = client.token_authorization(ours.port)
        measured = interleaved(effort.rounds, {
            "rest-auth": lambda: greetings_by_token(ours, effort),
            "bare Hummingbird": lambda: greetings_per_second(bare, same_length, effort),
            "nginx": lambda: greetings_per_second(nginx, same_length, effort),
            "Flask": lambda: greetings_by_token(flask, effort),
        })
    return compare("Token route, one core", "requests/s", measured, targets={
        "bare Hummingbird": ratio_at_least(0.90), "Flask": ratio_at_least(22)})


def greetings_by_token(server, effort):
    # A token for each round: the runs of all peers together can outlast one.
    return greetings_per_second(server, client.token_authorization(server.port), effort)


def greetings_per_second(server, authorization, effort):
    client.expect_greeting(server.port, authorization)
    return per_second(server, "/api/resource", authorization, effort, cores=CLIENT_CORE)


def per_second(server, path, authorization, effort, cores):
    load = dict(cores=cores, authorization=authorization)
    wrk(server, path, seconds=1, **load)  # warm
    return wrk(server, path, seconds=effort.seconds, **load)["per_second"]


def program_tokens(effort):
    """`GET /api/resource` by a personal token seen before, against an access token."""
    with servers.rest_auth(cores=SERVER_CORE) as server:
        client.register(server.port)
        personal = client.personal_token_authorization(server.port)
        measured = interleaved(effort.rounds, {
            "rest-auth": lambda: greetings_per_second(server, personal, effort),
            "an access token": lambda: greetings_by_token(server, effort),
        })
    return compare("Token route by a personal token seen before, one core", "requests/s", measured, targets={
        "an access token": ratio_at_least(0.98)})


def revocations(effort):
    """What the token route costs when many sessions have been ended whose tokens could still be
    live."""
    lines = 100_000
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(servers.scratch_directory()))
        with servers.rest_auth(directory=directory) as server:  # it makes the database
            client.register(server.port)
            ended = client.token_authorization(server.port)
        fill_revocations(directory / servers.DATABASE, lines)

        many = stack.enter_context(servers.rest_auth(directory=directory, cores=SERVER_CORE))
        none = stack.enter_context(servers.rest_auth(cores=SERVER_CORE))
        client.register(none.port)
        client.wait_until_refused(many.port, ended)  # it has read them all, for the last line ends that token's session

        measured = interleaved(effort.rounds, {
            "many": lambda: greetings_by_token(many, effort), "none": lambda: greetings_by_token(none, effort)})
    return [Figure(f"Token route, one core, {lines:,} sessions ended", "requests/s", measured["many"],
                   "none ended", measured["none"], ratio_at_least(0.97), label=f"{lines:,} ended")]


def verify(effort):
    """Requests that nginx lets through after it has asked rest-auth, on two cores."""
    with servers.rest_auth() as ours, servers.asking_nginx(ours) as nginx:
        client.register(ours.port)

        def measure(server, path, is_guarded=True):
            authorization = client.token_authorization(ours.port)
            client.expect_status(server.port, path, 200, authorization)
            client.expect_status(server.port, path, 401 if is_guarded else 200)
            return per_second(server, path, authorization, effort, cores=BOTH_CORES)

        measured = interleaved(effort.rounds, {
            "rest-auth": lambda: measure(nginx, "/guarded"),
            "nginx alone": lambda: measure(nginx, "/open", is_guarded=False),
            "verify asked directly": lambda: measure(ours, "/api/verify"),
        })
    return compare("Requests behind nginx auth_request, two cores", "requests/s", measured)


def passwords(effort):
    """Logins and registrations on two cores: the hash should count, and one durable commit beside
    it, for a session or a user."""
    # What wrk leaves unfinished it does not count; with few answers in a second, a short run would
    # make that felt.
    effort = dataclasses.replace(effort, seconds=2 * effort.seconds)
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(servers.rest_auth(flags=servers.UNLIMITED))
        flask = stack.enter_context(servers.flask(workers=CORES))
        for server in (ours, flask):
            client.register(server.port)

        logins = interleaved(effort.rounds, {
            "rest-auth": lambda: logins_per_second(ours, effort),
            "Argon2id loop": lambda: argon2_loop(CORES, effort.seconds),
            "Flask": lambda: logins_per_second(flask, effort),
        })
        registrations = interleaved(effort.rounds, {
            "rest-auth": lambda: registrations_per_second(ours, effort),
            "Argon2id loop": lambda: argon2_loop(CORES, effort.seconds),
            "Flask": lambda: registrations_per_second(flask, effort),
        })
    return (compare("Logins, two cores", "logins/s", logins, targets={"Argon2id loop": ratio_at_least(0.90)})
            + compare("Registrations, two cores", "registrations/s", registrations))


def refreshes(effort):
    """Sessions renewed without a pause on two cores. Each renewal is a durable commit; the peer
    does only that."""
    with servers.rest_auth() as server:
        client.register(server.port)
        measured = interleaved(effort.rounds, {
            "rest-auth": lambda: refresh(server, effort.seconds, sessions=8),
            "bare SQLite commits": lambda: commit_loop(server.directory / "commits.sqlite", effort.seconds),
        })

    def rounds_of(field):
        return {name: [figures[field] for figures in rounds] for name, rounds in measured.items()}

    return (compare("Refreshes, two cores", "refreshes/s", rounds_of("per_second"))
            + compare("p99 of a refresh among eight, two cores", "ms", rounds_of("p99_ms")))


def refresh(server, seconds, sessions):
    return finish_wrk(start_refresh(server, seconds, refresh_tokens(server, sessions)))


def refresh_tokens(server, sessions):
    """A file with the first tokens of that many sessions."""
    file = server.directory / f"refresh_tokens_{secrets.token_hex(4)}"
    file.write_text("\n".join(client.refresh_token(server.port) for _ in range(sessions)))
    return file


def start_refresh(server, seconds, tokens):
    """Each session has a connection of its own, on which every request presents the token of the
    answer before."""
    sessions = len(tokens.read_text().splitlines())
    return start_wrk(
        server, "/api/tokens", seconds, connections=sessions, threads=sessions, script="refresh", arguments=[tokens])


def memory(effort):
    """Resident memory at rest, and the most that was ever resident under load."""
    at_rest, peak = {}, {}
    for start in (lambda: servers.rest_auth(flags=servers.UNLIMITED), lambda: servers.flask(workers=CORES)):
        with start() as server:
            time.sleep(2)  # what is only needed to start has been given back
            at_rest[server.name] = [server.memory("VmRSS")]
            client.register(server.port)
            wrk(server, "/api/resource", effort.seconds, authorization=client.token_authorization(server.port))
            logins_per_second(server, effort)
            registrations_per_second(server, effort)
            peak[server.name] = [server.memory("VmHWM")]
    return (compare("Resident memory, idle", "MB", at_rest, targets={"Flask": at_most(48, "MB")})
            + compare("Resident memory, peak under load", "MB", peak))


def first_answer(effort):
    """From exec to the first answer, in an empty directory."""
    def milliseconds(start):
        with start() as server:
            return server.seconds_to_ready * 1000

    measured = interleaved(effort.launches, {
        "rest-auth": lambda: milliseconds(servers.rest_auth),
        "Flask": lambda: milliseconds(lambda: servers.flask(workers=CORES)),
    })
    return compare("First answer after exec", "ms", measured, targets={"Flask": at_most(150, "ms")})


def database_size(effort):
    """What the same work costs with many users instead of few. Signing in and registering are also
    taken without the hash, which would hide everything else: as the processor time of all threads
    but those that hash."""
    with contextlib.ExitStack() as stack:
        starts = {users: filled(stack, users) for users in (FEW_USERS, effort.many_users)}
        return [  # registrations last, for they add users
            compare_sizes("A user by id", "µs", user_by_id_microseconds, starts, effort, cores=SERVER_CORE),
            compare_sizes("Sign-in less the hash", "µs", sign_in_microseconds, starts, effort),
            compare_sizes("Registration less the hash", "µs", registration_microseconds, starts, effort),
            compare_sizes("Registration, whole", "ms", registration_milliseconds, starts, effort),
        ]


FEW_USERS = 1_000

# The files in a server's directory with header values of users: with their passwords, and with
# another.
LOGINS, GUESSES = "logins", "guesses"


def filled(stack, users, database=None):
    """Makes that many users, in SQLite unless there is a database of a PostgreSQL. Returns what
    starts a server with them."""
    directory = Path(stack.enter_context(servers.scratch_directory()))
    start = functools.partial(servers.rest_auth, directory=directory, database=database, flags=servers.UNLIMITED)
    with start() as server:  # it makes the tables
        client.register(server.port)
    names = fill_postgres_users(database, users) if database else fill_users(directory / servers.DATABASE, users)
    for file, password in ((LOGINS, client.PASSWORD), (GUESSES, client.PASSWORD + "x")):
        (directory / file).write_text("\n".join(client.basic(name, password) for name in names))
    return start


def compare_sizes(subject, unit, cost, starts, effort, cores=BOTH_CORES, of="users", bound=1.2):
    """`starts` holds, by their number, what starts a server with that many of them: few, then
    many."""
    (few, start_small), (many, start_large) = starts.items()
    with start_small(cores=cores) as small, start_large(cores=cores) as large:
        for server, count in ((small, few), (large, many)):
            cost(server, count, dataclasses.replace(effort, seconds=1))  # warm
        measured = interleaved(effort.rounds, {
            "few": lambda: cost(small, few, effort), "many": lambda: cost(large, many, effort)})
    return Figure(f"{subject}, {many:,} {of}", unit, measured["many"], f"{few:,} {of}", measured["few"],
                  ratio_at_most(bound), label=f"{many:,} {of}")


def user_by_id_microseconds(server, users, effort):
    load = wrk(server, "/", effort.seconds, cores=CLIENT_CORE, script="random_user", arguments=[users])
    return 1e6 / load["per_second"]


def sign_in_microseconds(server, users, effort):
    return microseconds_beside_hashing(server, lambda: wrk(
        server, "/api/token", effort.seconds, connections=1, script="random_login",
        arguments=[server.directory / LOGINS]))


def registration_microseconds(server, users, effort):
    return microseconds_beside_hashing(server, lambda: register(server, effort.seconds, connections=1))


def registration_milliseconds(server, users, effort):
    return register(server, effort.seconds, connections=1)["p50_ms"]


def microseconds_beside_hashing(server, load):
    before = server.seconds_beside_hashing()
    requests = load()["requests"]
    return (server.seconds_beside_hashing() - before) * 1e6 / requests


def logins_per_second(server, effort):
    return wrk(server, "/api/token", effort.seconds, connections=8, authorization=client.LOGIN)["per_second"]


def sign_ins(server, seconds):
    """Sessions started by users at random."""
    return wrk(server, "/api/tokens", seconds, connections=8, script="random_session",
               arguments=[server.directory / LOGINS])


def registrations_per_second(server, effort):
    return register(server, effort.seconds, connections=8)["per_second"]


def register(server, seconds, connections):
    prefix = secrets.token_hex(8)  # no run repeats the names of another
    return wrk(server, "/api/users", seconds, connections=connections, script="register", arguments=[prefix])


CHAPTERS = [
    token_route, program_tokens, revocations, verify, passwords, refreshes, memory, first_answer, database_size,
]

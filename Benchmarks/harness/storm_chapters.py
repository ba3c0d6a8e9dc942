"""The measurements of storms: what everybody else notices of many sign-ins and guesses, and what it
costs to count the guesses."""

import contextlib
import dataclasses
import time

from . import client
from .chapters import FEW_USERS, GUESSES, LOGINS, filled, sign_ins
from .figures import Figure, at_most, interleaved, ratio_at_least, ratio_at_most
from .load import finish_wrk, start_wrk, steady_load
from .postgres import Postgres

# The load then says itself from where its requests come.
FROM_ANYWHERE = ["--trusted-proxies", "127.0.0.1"]


def login_storm(effort):
    """What a client with a token notices while eight others sign in without a pause, or guess and
    are refused without a pause."""
    rate = 800
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(filled(stack, FEW_USERS)(flags=FROM_ANYWHERE))

        def tokens(start_storm=None, seconds=effort.seconds):
            authorization = client.token_authorization(server.port)
            if not start_storm:
                return steady_load(server, "/api/resource", rate, seconds, authorization)
            # The storm begins before the measurement and ends after it.
            storm = start_storm(server, seconds + 2)
            time.sleep(1)
            figures = steady_load(server, "/api/resource", rate, seconds, authorization)
            finish_wrk(storm)
            return figures

        tokens(seconds=1)  # warm
        measured = interleaved(effort.rounds, {
            "quiet": tokens, "logins": lambda: tokens(start_logins), "guesses": lambda: tokens(start_guesses)})

    def figure(which, storm, what, field, target=None, of_rounds=list):
        ours, theirs = (of_rounds(figures[field] for figures in measured[name]) for name in (storm, "quiet"))
        return Figure(f"{which} of the token route in a {what}, {rate} requests/s on two cores", "ms", ours,
                      "no storm", theirs, target, label="storm")

    def greatest(rounds):
        return [max(rounds)]

    return [
        figure("p50", "logins", "login storm", "p50_ms"),
        figure("p99", "logins", "login storm", "p99_ms", ratio_at_most(10)),
        figure("Slowest answer", "logins", "login storm", "max_ms", at_most(50, "ms"), greatest),
        figure("p99", "guesses", "storm of guesses", "p99_ms"),
    ]


def start_logins(server, seconds):
    return start_wrk(server, "/api/token", seconds, connections=8, threads=8, script="storm",
                     arguments=[server.directory / LOGINS, server.directory / GUESSES])


def start_guesses(server, seconds):
    return start_wrk(server, "/api/token", seconds, connections=8, script="guesses",
                     arguments=[server.directory / GUESSES])


def throttle(effort):
    """What whoever signs in pays for it that guesses are counted, and how fast guesses are refused
    that have to wait."""
    # As for passwords: there are few answers in a second.
    slow = dataclasses.replace(effort, seconds=2 * effort.seconds)
    with Postgres() as postgres:
        return (throttle_figures("", lambda: None, slow)
                + throttle_figures(" with PostgreSQL", postgres.new_database, slow))


def throttle_figures(place, new_database, effort):
    with contextlib.ExitStack() as stack:
        on, off = (
            stack.enter_context(filled(stack, FEW_USERS, new_database())(flags=[*FROM_ANYWHERE, "--throttle", setting]))
            for setting in ("yes", "no"))
        for server in (on, off):
            sign_ins(server, 1)  # warm
        signed_in = interleaved(effort.rounds, {
            "on": lambda: sign_ins(on, effort.seconds)["per_second"],
            "off": lambda: sign_ins(off, effort.seconds)["per_second"],
        })
        finish_wrk(start_guesses(on, 2))  # the first are tried
        refused = [finish_wrk(start_guesses(on, effort.seconds))["per_second"] for _ in range(effort.rounds)]
    return [
        Figure(f"Sign-ins with guesses counted{place}, two cores", "sign-ins/s", signed_in["on"],
               "throttle off", signed_in["off"], ratio_at_least(0.97), label="throttle on"),
        Figure(f"Guesses refused{place}, two cores", "refusals/s", refused),
    ]


CHAPTERS = [login_storm, throttle]

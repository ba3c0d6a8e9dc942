"""What the operator's lists cost with many users instead of few."""

import contextlib

from . import client, servers
from .chapters import FEW_USERS, compare_sizes, filled
from .load import wrk
from .machine import CLIENT_CORE, SERVER_CORE
from .postgres import Postgres

# Names are random hexadecimal digits, so one user in sixteen has a name that begins so: more than a
# page of them also where users are few.
SEARCH = "/api/operator/users?q=a"

# In the order of ids, so all entries are examined that a page may examine, and none is shown.
FILTERED = "/api/operator/users?created_after=2100-01-01T00:00:00Z"


def operator_lists(effort):
    with contextlib.ExitStack() as stack:
        return lists(effort, {users: operated(filled(stack, users)) for users in (FEW_USERS, effort.many_users)})


def postgres_operator_lists(effort):
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(Postgres())
        starts = {users: operated(filled(stack, users, postgres.new_database()))
                  for users in (FEW_USERS, effort.many_users)}
        return lists(effort, starts, " with PostgreSQL")


def operated(start):
    """Makes the user of whom all tokens are an operator."""
    servers.rest_auth_seconds("users", "grant", client.USERNAME, "rest-auth:operator",
                              directory=start.keywords["directory"], database=start.keywords["database"])
    return start


def lists(effort, starts, place=""):
    return [compare_sizes(f"{subject}{place}", "µs", microseconds(path), starts, effort, cores=SERVER_CORE)
            for subject, path in (("The operator's list with q", SEARCH),
                                  ("The operator's list, nobody of 1,000 matches", FILTERED))]


def microseconds(path):
    def measure(server, _, effort):
        authorization = client.token_authorization(server.port)
        client.expect_status(server.port, path, 200, authorization)
        return 1e6 / wrk(server, path, effort.seconds, cores=CLIENT_CORE, authorization=authorization)["per_second"]

    return measure


CHAPTERS = [operator_lists, postgres_operator_lists]

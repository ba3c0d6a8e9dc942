"""A client that prepares what the load generators then repeat: users, tokens, header values."""

import base64
import contextlib
import http.client
import json
import time

from .machine import BenchmarkError

USERNAME, PASSWORD = "miguel", "python"
GREETING = {"data": "Hello, miguel!"}


def basic(username, password):
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


LOGIN = basic(USERNAME, PASSWORD)


def ask(port, path, method="GET", authorization=None, document=None, timeout=10):
    """Status and body of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    headers = {"Authorization": authorization} if authorization else {}
    body = None
    if document is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(document)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def register(port):
    expect(201, *ask(port, "/api/users", "POST", document={"username": USERNAME, "password": PASSWORD}))


def token_authorization(port):
    """The header value of a token just signed in for; no peer looks at the password beside it."""
    token = expect(200, *ask(port, "/api/token", authorization=LOGIN))["token"]
    return basic(token, "x")


def personal_token_authorization(port):
    """The header value of a personal token, in the same scheme."""
    document = {"name": "bench", "scopes": ["profile"]}
    token = expect(201, *ask(port, "/api/me/tokens", "POST", authorization=LOGIN, document=document))["token"]
    return basic(token, "x")


def sign_in(port):
    """The tokens of a session just started."""
    return expect(200, *ask(port, "/api/tokens", "POST", authorization=LOGIN))


def refresh_token(port):
    """The first of a session just started."""
    return sign_in(port)["refresh_token"]


def sign_out(port, authorization):
    check_status(204, *ask(port, "/api/tokens", "DELETE", authorization=authorization))


def wait_until_refused(port, authorization, seconds=60):
    """Returns when the server refuses what it has taken so far."""
    deadline = time.monotonic() + seconds
    while (status := ask(port, "/api/resource", authorization=authorization)[0]) != 401:
        if status != 200 or time.monotonic() > deadline:
            raise BenchmarkError(f"what should be refused by now was answered with status {status}")
        time.sleep(0.1)


def seconds_until_refused(port, authorization, patience=10):
    """Asks without a pause, on one connection, until the answer is no."""
    start = time.monotonic()
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=patience)) as connection:
        while time.monotonic() < start + patience:
            connection.request("GET", "/api/resource", headers={"Authorization": authorization})
            response = connection.getresponse()
            response.read()
            if response.status == 401:
                return time.monotonic() - start
    raise BenchmarkError(f"what was ended is still not refused after {patience} s")


def expect_greeting(port, authorization):
    """Peers are compared on equal work only if they give equal answers."""
    greeting = expect(200, *ask(port, "/api/resource", authorization=authorization))
    if greeting != GREETING:
        raise BenchmarkError(f"/api/resource answered {greeting}")


def expect_status(port, path, wanted, authorization=None):
    check_status(wanted, *ask(port, path, authorization=authorization))


def expect(wanted, status, body):
    check_status(wanted, status, body)
    return json.loads(body)


def check_status(wanted, status, body):
    if status != wanted:
        raise BenchmarkError(f"expected status {wanted}, got {status}: {body[:200]!r}")

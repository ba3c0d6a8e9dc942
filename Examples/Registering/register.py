#!/usr/bin/env python3
"""Registers a user with rest-auth where that takes work or an invitation.

    printf 'miguel\\npython\\nINVITATION\\n' | register.py https://auth.example.com

reads the user name, the password and, where one is needed, the code of an invitation, one a line.
Prints the URL of the new user, or why there is none; then the exit status is 1. Only the standard
library is needed.
"""

import argparse
import hashlib
import itertools
import json
import sys
import urllib.error
import urllib.request


def solve(challenge, difficulty):
    """The number for which SHA-256 of the challenge, a dot and the number begins with that many
    zero bits."""
    start = hashlib.sha256(f"{challenge}.".encode())
    limit = 1 << (256 - difficulty)
    for nonce in itertools.count():
        digest = start.copy()
        digest.update(b"%d" % nonce)
        if int.from_bytes(digest.digest(), "big") < limit:
            return str(nonce)


def register(base_url, fields):
    """Registers and returns the URL of the user. Raises urllib.error.HTTPError with the answer when
    refused."""
    try:
        with urllib.request.urlopen(f"{base_url}/api/challenge") as answer:
            work = json.load(answer)
        fields = fields | {"challenge": work["challenge"], "nonce": solve(work["challenge"], work["difficulty"])}
    except urllib.error.HTTPError as error:
        # None is asked for.
        if error.code != 404:
            raise
    request = urllib.request.Request(
        f"{base_url}/api/users", json.dumps(fields).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return answer.headers["Location"]


def main():
    parser = argparse.ArgumentParser(
        description="Registers the user whose name and password standard input has, one a line."
    )
    parser.add_argument("base_url", help="where rest-auth is, for example https://auth.example.com")
    base_url = parser.parse_args().base_url
    username, password, invitation, *_ = [*sys.stdin.read().split("\n"), "", "", ""]
    try:
        print(register(base_url, {"username": username, "password": password, "invitation": invitation or None}))
    except urllib.error.HTTPError as error:
        print(json.load(error)["code"])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

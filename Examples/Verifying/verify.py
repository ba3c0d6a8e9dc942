#!/usr/bin/env python3
"""Verifies rest-auth's access tokens without asking for each: with its published keys and its list
of revocations.

    pip install 'PyJWT[crypto]>=2.15'
    verify.py https://auth.example.com < tokens

reads one token from each line and prints one line of JSON for it: the claims, or {"error": ...}.
The exit status is 0 when all were good, 1 when one was not.
"""

import argparse
import base64
import functools
import hmac
import json
import os
import sys
import threading
import time
import urllib.request

import jwt

ALGORITHMS = {"ES256", "EdDSA", "RS256"}
TYPES = ("at+jwt", "JWT")  # whichever the server's token_type is
TIMEOUT = 2  # seconds for one request to the server


class Undecided(Exception):
    """Nobody can tell just now whether the token is good. To a client this is 503, not 401."""


class Revocations:
    """Which live tokens are refused: the server's numbered list, read on every INTERVAL seconds."""

    INTERVAL = 1
    BOUND = 5  # seconds for which it is believed when it cannot be read
    LONGEST_LIFE = 86700  # seconds for which a line matters that does not say how long it does

    def __init__(self, base_url):
        self.url = f"{base_url}/api/revocations"
        self.last = 0
        self.refused = {}
        self.read_at = None
        self.try_to_read()
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        while True:
            time.sleep(self.INTERVAL)
            self.try_to_read()

    def try_to_read(self):
        try:
            # The beginning counts: a line that came in the meantime may have been missed.
            start = time.monotonic()
            while self.read_page():
                pass
            self.read_at = start
            now = time.time()
            self.refused = {subject: end for subject, end in self.refused.items() if end > now}
        except Exception as error:
            # Nothing to undo: what was read grows too old by itself.
            print(f"the revocations could not be read: {error}", file=sys.stderr)

    def read_page(self):
        page = get(f"{self.url}?since={self.last}")
        if page["last"] < self.last:
            self.last = 0  # another list: the server's database was restored from a backup
            return True
        for line in page["revocations"]:
            subject = self.subject(line)
            self.refused.pop(subject, None)
            if line["refused"]:
                self.refused[subject] = line.get("exp", line["at"] + self.LONGEST_LIFE)
        self.last = page["last"]
        return page["more"]

    @staticmethod
    def subject(line):
        if "sid" in line:
            return ("session", line["sid"])
        return ("role", line["sub"], line["role"]) if "role" in line else ("user", line["sub"])

    def check_age(self):
        if self.read_at is None or time.monotonic() - self.read_at > self.BOUND:
            raise Undecided("the revocations have not been read for too long")

    def refuse(self, claims):
        user = claims["sub"]
        roles = [("role", user, self.hidden(role, claims)) for role in claims.get("roles", [])]
        subjects = [("user", user), ("session", claims["sid"])] + roles
        return any(subject in self.refused for subject in subjects)

    @staticmethod
    def hidden(role, claims):
        """What stands for the role in the list: only who has a token with the key can tell."""
        if "roles_key" not in claims:
            return role
        digest = hmac.digest(claims["roles_key"].encode(), role.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Verifier:
    MAXIMUM_LENGTH = 4096
    CLOCK_SLACK = 60  # seconds by which the server's clock may be ahead
    LONGEST_LIFE = 86400  # seconds that a token lives at most

    def __init__(self, base_url, audience=None):
        self.base_url = base_url.rstrip("/")
        # This service's name among the server's token_audience; the issuer where there is none.
        self.audience = audience
        # An unknown key has them fetched again, at most every few seconds: anyone can name one.
        self.keys = jwt.PyJWKClient(
            f"{self.base_url}/.well-known/jwks.json", lifespan=300, cooldown_duration=3, timeout=TIMEOUT
        )
        self.revocations = Revocations(self.base_url)

    @functools.cached_property
    def issuer(self):
        return get(f"{self.base_url}/.well-known/oauth-authorization-server")["issuer"]

    def verify(self, token):
        """The claims of a good token.

        Raises jwt.InvalidTokenError when it is not good, Undecided when that cannot be told.
        """
        self.revocations.check_age()
        if len(token) > self.MAXIMUM_LENGTH:
            raise jwt.InvalidTokenError("too long")
        header = jwt.get_unverified_header(token)
        if set(header) != {"alg", "kid", "typ"} or header["typ"] not in TYPES:
            raise jwt.InvalidTokenError("not the header of an access token")
        try:
            issuer = self.issuer
            key = self.keys.get_signing_key(header["kid"])
        except Exception as error:
            if type(error) is jwt.PyJWKClientError:
                raise jwt.InvalidTokenError("signed by an unknown key") from error
            raise Undecided("the keys could not be read") from error
        if key.algorithm_name not in ALGORITHMS:
            raise jwt.InvalidTokenError("not an algorithm for tokens")
        claims = jwt.decode(
            token,
            key,
            # What the key is for, not what the token says.
            algorithms=[key.algorithm_name],
            issuer=issuer,
            audience=self.audience or issuer,
            options={"require": ["iss", "aud", "sub", "sid", "iat", "exp"], "verify_iat": False},
        )
        if not isinstance(claims["sid"], str) or type(claims["iat"]) is not int or type(claims["exp"]) is not int:
            raise jwt.InvalidTokenError("not the claims of an access token")
        if claims["exp"] - claims["iat"] > self.LONGEST_LIFE:
            raise jwt.InvalidTokenError("lives too long")
        if claims["iat"] > time.time() + self.CLOCK_SLACK:
            raise jwt.InvalidTokenError("from the future")
        if self.revocations.refuse(claims):
            raise jwt.InvalidTokenError("revoked")
        return claims


def get(url):
    request = urllib.request.Request(url)
    # ID:SECRET of a client, where the server shows its list of revocations to clients only.
    if client := os.environ.get("VERIFIER_CLIENT"):
        request.add_header("Authorization", "Basic " + base64.b64encode(client.encode()).decode())
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        return json.load(answer)


def main():
    parser = argparse.ArgumentParser(description="Verifies the tokens that standard input has, one a line.")
    parser.add_argument("base_url", help="where rest-auth is, for example https://auth.example.com")
    verifier = Verifier(parser.parse_args().base_url, os.environ.get("VERIFIER_AUDIENCE"))
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    status = 0
    for line in sys.stdin:
        try:
            answer = verifier.verify(line.strip())
        except (jwt.InvalidTokenError, Undecided) as error:
            answer = {"error": str(error)}
            status = 1
        print(json.dumps(answer), flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())

"""Verifies tokens with joserfc: joserfc_verify.py BASE_URL reads tokens from standard input, one a
line, and prints a line of JSON for each.
"""

import json
import sys
import urllib.request

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet


def get(path):
    with urllib.request.urlopen(sys.argv[1] + path) as answer:
        return json.load(answer)


issuer = get("/.well-known/oauth-authorization-server")["issuer"]
registry = jwt.JWTClaimsRegistry(
    iss={"essential": True, "value": issuer},
    aud={"essential": True, "value": issuer},
    exp={"essential": True},
    sub={"essential": True},
    sid={"essential": True},
)
for line in sys.stdin:
    try:
        keys = KeySet.import_key_set(get("/.well-known/jwks.json"))
        token = jwt.decode(line.strip(), keys, algorithms=["ES256", "EdDSA", "RS256"])
        registry.validate(token.claims)
        answer = token.claims if token.header.get("typ") == "at+jwt" else {"error": "no access token"}
    except (JoseError, ValueError) as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)

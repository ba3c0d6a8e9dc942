"""A resource server in Python: resource_server.py VALIDATOR BASE_URL ISSUER AUDIENCE

Reads tokens from standard input, one a line, and prints a line of JSON for each. VALIDATOR is
authlib (its validator for RFC 9068), joserfc or pyjwt; each is configured with the issuer and the
audience only.
"""

import json
import sys
import urllib.request

validator, base_url, issuer, audience = sys.argv[1:]


def get(path):
    with urllib.request.urlopen(base_url + path) as answer:
        return json.load(answer)


def authlib(token):
    from authlib.oauth2.rfc9068 import JWTBearerTokenValidator

    class Validator(JWTBearerTokenValidator):
        def get_jwks(self):
            return get("/.well-known/jwks.json")

    validator = Validator(issuer=issuer, resource_server=audience)
    claims = validator.authenticate_token(token)
    validator.validate_token(claims, None, None)
    return claims


def joserfc(token):
    from joserfc import jwt
    from joserfc.jwk import KeySet

    keys = KeySet.import_key_set(get("/.well-known/jwks.json"))
    decoded = jwt.decode(token, keys, algorithms=["ES256", "EdDSA", "RS256"])
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": audience},
        client_id={"essential": True},
        exp={"essential": True},
        jti={"essential": True},
    ).validate(decoded.claims)
    return decoded.claims


def pyjwt(token):
    import jwt

    metadata = get("/.well-known/openid-configuration")
    keys = jwt.PyJWKClient(base_url + "/.well-known/jwks.json")
    return jwt.decode(
        token,
        keys.get_signing_key_from_jwt(token),
        algorithms=metadata["id_token_signing_alg_values_supported"],
        issuer=issuer,
        audience=audience,
        options={"require": ["iss", "aud", "exp", "iat", "sub", "jti", "client_id"]},
    )


verify = {"authlib": authlib, "joserfc": joserfc, "pyjwt": pyjwt}[validator]
for line in sys.stdin:
    try:
        answer = verify(line.strip())
    except Exception as error:  # each library has errors of its own
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)

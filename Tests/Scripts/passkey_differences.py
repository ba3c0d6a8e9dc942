"""Compares our verdicts with those of py_webauthn, and explains each difference by a fact that is
established here, again and by other means. Fails when a difference has no explanation.

    passkey_differences.py answers.jsonl ours.jsonl theirs.jsonl
"""

import base64
import collections
import io
import json
import re
import sys

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicNumbers, SECP256R1

sys.setrecursionlimit(20_000)
CANONICAL = re.compile(r"[A-Za-z0-9_-]*")


class Duplicate(Exception):
    pass


class NotJSON(Exception):
    pass


def pairs(items):
    names = [k for k, _ in items]
    if len(set(names)) != len(names):
        raise Duplicate
    return dict(items)


def constant(name):
    raise NotJSON


def number(text):
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise NotJSON
    return value


def strict_json(raw):
    """The value, or why RFC 8259 read strictly has none."""
    if raw[:3] == b"\xef\xbb\xbf":
        raw = raw[3:]
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None, "JSON that is not UTF-8"
    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_float=number)
    except Duplicate:
        return None, "JSON with a member twice"
    except NotJSON:
        return None, "JSON with a number that is none, or infinite"
    except RecursionError:
        return None, "JSON nested too deep"
    except ValueError:
        return None, "no JSON"

    def depth(v):
        if isinstance(v, dict):
            return 1 + max([depth(x) for x in v.values()], default=0)
        if isinstance(v, list):
            return 1 + max([depth(x) for x in v], default=0)
        return 1 if v is None or True else 0

    if depth(value) > 32:
        return None, "JSON nested too deep"

    def lone(v):
        if isinstance(v, dict):
            return any(lone(k) or lone(x) for k, x in v.items())
        if isinstance(v, list):
            return any(map(lone, v))
        return isinstance(v, str) and any(0xD800 <= ord(ch) < 0xE000 for ch in v)

    if lone(value):
        return None, "JSON with half a surrogate pair"
    return value, None


def decode(text):
    """The bytes of canonical base64url; None for another spelling."""
    if not isinstance(text, str) or not CANONICAL.fullmatch(text) or len(text) % 4 == 1:
        return None
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return raw if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == text else None


def canonical(raw, exact=True):
    """(item, length, None) or (None, 0, why) of CBOR in the subset."""
    stream = io.BytesIO(raw)
    try:
        item = cbor2.load(stream)
    except Exception:
        return None, 0, "no CBOR"
    used = stream.tell()
    if exact and used != len(raw):
        return None, 0, "CBOR with something after it"

    def odd(v, level):
        if isinstance(v, dict):
            return level > 4 or any(
                not isinstance(k, (int, str)) or isinstance(k, bool) or odd(k, level) or odd(x, level + 1)
                for k, x in v.items()
            )
        if isinstance(v, (list, tuple)):
            return level > 4 or any(odd(x, level + 1) for x in v)
        return not isinstance(v, (int, str, bytes, bool))

    if odd(item, 1):
        return None, 0, "CBOR outside the subset (tag, float, null, nested too deep)"
    if encode(item) != raw[:used]:
        return None, 0, "CBOR that is not canonical"
    return item, used, None


def encode(v):
    """CTAP2 canonical CBOR, written here."""

    def head(t, n):
        for limit, code, size in ((24, None, 0), (1 << 8, 24, 1), (1 << 16, 25, 2), (1 << 32, 26, 4), (1 << 64, 27, 8)):
            if n < limit:
                return bytes([t << 5 | (n if code is None else code)]) + (n.to_bytes(size, "big") if size else b"")
        return b"?"

    if v is True:
        return b"\xf5"
    if v is False:
        return b"\xf4"
    if isinstance(v, int):
        return head(0, v) if v >= 0 else head(1, -1 - v)
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v.encode())) + v.encode()
    if isinstance(v, (list, tuple)):
        return head(4, len(v)) + b"".join(map(encode, v))
    items = sorted(((encode(k), encode(x)) for k, x in v.items()), key=lambda i: (i[0][0] >> 5, len(i[0]), i[0]))
    return head(5, len(items)) + b"".join(k + x for k, x in items)


P25519 = 2**255 - 19
D25519 = -121665 * pow(121666, -1, P25519) % P25519


def small_order(raw):
    """Whether eight times that point of edwards25519 is the neutral one."""
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y >= P25519:
        return True  # not reduced
    square = (y * y - 1) * pow(D25519 * y * y + 1, -1, P25519) % P25519
    x = pow(square, (P25519 + 3) // 8, P25519)
    if (x * x - square) % P25519:
        x = x * pow(2, (P25519 - 1) // 4, P25519) % P25519
    if (x * x - square) % P25519:
        return False  # no point
    for _ in range(3):
        k = D25519 * x * x * y * y % P25519
        x, y = 2 * x * y * pow(1 + k, -1, P25519) % P25519, (y * y + x * x) * pow(1 - k, -1, P25519) % P25519
    return (x, y) == (0, 1)


def key_fault(k):
    bytes_of = lambda label, n: isinstance(k.get(label), bytes) and len(k[label]) == n

    def same(label, value):
        return type(k.get(label)) is int and k[label] == value

    if same(1, 2) and same(3, -7):
        if set(k) != {1, 3, -1, -2, -3} or not same(-1, 1) or not bytes_of(-2, 32) or not bytes_of(-3, 32):
            return "key with other parameters than ES256 has"
        try:
            EllipticCurvePublicNumbers(
                int.from_bytes(k[-2], "big"), int.from_bytes(k[-3], "big"), SECP256R1()
            ).public_key()
        except ValueError:
            return "point that is not on the curve"
        return None
    if same(1, 1) and same(3, -8):
        if not (set(k) == {1, 3, -1, -2} and same(-1, 6) and bytes_of(-2, 32)):
            return "key with other parameters than EdDSA has"
        return (
            "Ed25519 point of small order, or not reduced: everybody can sign under it" if small_order(k[-2]) else None
        )
    if same(1, 3) and same(3, -257):
        if set(k) != {1, 3, -1, -2} or not isinstance(k[-1], bytes) or not isinstance(k[-2], bytes):
            return "key with other parameters than RS256 has"
        n, e = int.from_bytes(k[-1], "big"), int.from_bytes(k[-2], "big")
        if not 2048 <= n.bit_length() <= 4096 or n % 2 == 0 or k[-1][:1] == b"\0":
            return "RSA modulus of another size, even, or with zeros in front"
        if not 65537 <= e < 2**32 or e % 2 == 0 or k[-2][:1] == b"\0":
            return "RSA exponent that is even, small, large, or with zeros in front"
        return None
    return "key of another algorithm"


def authenticator_data(raw):
    """(fields, None) or (None, why)."""
    if len(raw) < 37:
        return None, "authenticator data too short"
    if len(raw) > 4096:
        return None, "authenticator data too long"
    f = {"flags": raw[32], "count": int.from_bytes(raw[33:37], "big")}
    rest = raw[37:]
    if f["flags"] & 0x40:
        n = int.from_bytes(rest[16:18], "big")
        if not 1 <= n <= 1023:
            return None, "credential id that is empty or longer than 1023 bytes"
        f["id"] = rest[18 : 18 + n]
        key, used, why = canonical(rest[18 + n :], exact=False)
        if why or not isinstance(key, dict):
            return None, why or "key that is no map"
        f["key"], rest = key, rest[18 + n + used :]
    if f["flags"] & 0x80:
        e, used, why = canonical(rest, exact=False)
        if why or not isinstance(e, dict):
            return None, (why and "extensions: " + why) or "extensions that are no map"
        rest = rest[used:]
    return (f, None) if not rest else (None, "authenticator data with something after it")


LIMITS = {
    "clientDataJSON": 4096,
    "attestationObject": 8192,
    "authenticatorData": 4096,
    "signature": 512,
    "userHandle": 64,
}


def form_fault(r):
    answer, why = strict_json(r["credential"].encode("utf-8", "surrogatepass"))
    if why:
        return None, why
    if decode(answer.get("rawId")) is None:
        return None, "base64url that is not canonical: rawId"
    if not 1 <= len(decode(answer["rawId"])) <= 1023:
        return None, "id that is empty or too long"
    names = ["clientDataJSON"] + (
        ["attestationObject"] if r["kind"] == "registration" else ["authenticatorData", "signature", "userHandle"]
    )
    for name in names:
        value = answer["response"].get(name)
        if name == "userHandle" and value is None:
            continue
        if not isinstance(value, str):
            return None, f"{name} that is no text"
        if decode(value) is None:
            return None, f"base64url that is not canonical: {name}"
        if not 1 <= len(decode(value)) <= LIMITS[name]:
            return None, f"{name} that is empty or longer than {LIMITS[name]} bytes"
    t = answer["response"].get("transports")
    if (
        r["kind"] == "registration"
        and t is not None
        and not (
            isinstance(t, list)
            and len(t) <= 8
            and all(isinstance(x, str) and re.fullmatch("[a-z0-9-]{1,32}", x) for x in t)
        )
    ):
        return None, "transports that have no name"
    return answer, None


def client_fault(raw):
    c, why = strict_json(raw)
    if why:
        return None, "client data: " + why
    if not isinstance(c, dict) or not all(isinstance(c.get(n), str) for n in ("type", "challenge", "origin")):
        return None, "client data: a member of another type"
    if decode(c["challenge"]) is None:
        return None, "client data: challenge in base64url that is not canonical"
    if "crossOrigin" in c and not isinstance(c["crossOrigin"], bool):
        return None, "client data: crossOrigin that is no truth value"
    if "topOrigin" in c and not isinstance(c["topOrigin"], str):
        return None, "client data: topOrigin that is no text"
    return c, None


def explain(r, o, t):
    """The fact behind a difference, or None."""
    answer, why = form_fault(r)
    if o["verdict"] == "refused":
        reason = o["reason"]
        if reason == "malformed":
            return why
        if why:
            return None
        client, why = client_fault(decode(answer["response"]["clientDataJSON"]))
        if reason == "client_data":
            return why
        if why:
            return None
        if reason == "cross_origin":
            cross, top = client.get("crossOrigin", False), client.get("topOrigin")
            return (
                "crossOrigin or topOrigin, which py_webauthn does not look at"
                if (cross or top is not None) and not (cross and top in r.get("top_origins", []))
                else None
            )
        if r["kind"] == "registration":
            obj, _, why = canonical(decode(answer["response"]["attestationObject"]))
            if not why and (
                not isinstance(obj, dict)
                or set(obj) != {"fmt", "attStmt", "authData"}
                or not isinstance(obj["fmt"], str)
                or not isinstance(obj["attStmt"], dict)
                or not isinstance(obj["authData"], bytes)
            ):
                why = "attestation object with other entries"
            if reason == "attestation_object":
                return why and "attestation object: " + why
            if why:
                return None
            data, why = authenticator_data(obj["authData"])
            if reason == "authenticator_data":
                return why
            if why:
                return None
            if reason == "credential_id":
                return "attested credential id that is not the rawId" if data["id"] != decode(answer["rawId"]) else None
            if reason == "public_key":
                return key_fault(data["key"])
            s = obj["attStmt"]
            if reason == "attestation_statement":
                if obj["fmt"] == "none" and s:
                    return "statement of none that is not empty (py_webauthn ignores names that it does not know)"
                if obj["fmt"] == "packed" and set(s) != {"alg", "sig"}:
                    return "self attestation with other entries"
                return None
            if reason == "attestation_format":
                return (
                    "attestation that was not asked for"
                    if obj["fmt"] not in ("none",) and (obj["fmt"] != "packed" or "x5c" in s)
                    else None
                )
            return None
        data, why = authenticator_data(decode(answer["response"]["authenticatorData"]))
        if reason == "authenticator_data":
            return why
        if why:
            return None
        if reason == "credential_data":
            return "attested credential data in an assertion (section 6.1: MUST NOT)" if "key" in data else None
        if reason == "unknown_credential":
            return (
                "another credential id: py_webauthn is given the key and does not look"
                if answer["rawId"] != r["credential_id"]
                else None
            )
        if reason == "user_handle":
            h = answer["response"].get("userHandle")
            return (
                "user handle of another user, or none: py_webauthn does not look"
                if h != r["user_handle"] and not (h is None and r["identified"])
                else None
            )
        if reason == "backup_eligibility":
            return (
                "backup eligibility that changed (7.2 step 19): py_webauthn is not given it"
                if bool(data["flags"] & 8) != r["backup_eligible"]
                else None
            )
        return None
    # We accept, they do not.
    if why:
        return None
    if "sign count" in t["reason"] and ("wentBack" in o.get("counter", "") or o.get("counter") == "notCompared"):
        return "counter that went back: an event here, a refusal there"
    if r["credential"].startswith("\ufeff") and "Unable to decode credential" in t["reason"]:
        return "byte order mark before the answer"
    client, why = client_fault(decode(answer["response"]["clientDataJSON"]))
    if why:
        return None
    b = client.get("tokenBinding")
    if isinstance(b, dict) and ("token_binding" in t["reason"] or "clientDataJSON was malformed" in t["reason"]):
        return "tokenBinding, which Level 3 does not know any more"
    a = answer.get("authenticatorAttachment")
    if "authenticatorAttachment" in t["reason"] and isinstance(a, str):
        return "authenticatorAttachment of another name: not read here (section 2.1.1 wants unknown ones ignored)"
    return None


def main():
    requests, ours, theirs = ([json.loads(l) for l in open(p)] for p in sys.argv[1:4])
    assert len(requests) == len(ours) == len(theirs)
    print(
        len(requests),
        "answers;",
        "registration",
        sum(r["kind"] == "registration" for r in requests),
        "authentication",
        sum(r["kind"] != "registration" for r in requests),
    )
    print("sources:", dict(collections.Counter(r["source"] for r in requests)))
    print(
        "kinds of alteration:",
        len({m for r in requests for m in r["mutations"]}),
        " could not be applied:",
        sum(m.endswith("-failed") for r in requests for m in r["mutations"]),
    )
    print(
        "verdicts (ours, theirs):",
        dict(collections.Counter((o["verdict"], t["verdict"]) for o, t in zip(ours, theirs))),
    )
    print("our reasons:", dict(collections.Counter(o.get("reason", "-") for o in ours).most_common()))
    found, unexplained, values = collections.Counter(), [], 0
    for i, (r, o, t) in enumerate(zip(requests, ours, theirs)):
        assert o["verdict"] in ("accepted", "refused"), (i, o)
        if o["verdict"] != t["verdict"]:
            why = explain(r, o, t)
            if why is None:
                unexplained.append((i, r["mutations"], o, t))
            else:
                found[(o["verdict"], why)] += 1
        elif o["verdict"] == "accepted":
            for name in ("credential_id", "public_key", "aaguid"):
                if name in t:
                    o[name] = decode(o[name]).hex()
            for name in t:
                if name in o and o[name] != t[name]:
                    unexplained.append((i, r["mutations"], name, o[name], t[name]))
            values += 1
    print(values, "accepted by both, with the same values")
    for (verdict, why), n in sorted(found.items(), key=lambda x: (x[0][0], -x[1])):
        print(f"  {n:5} {'we refuse' if verdict == 'refused' else 'we accept'}: {why}")
    print(len(unexplained), "differences without an explanation")
    for u in unexplained[:20]:
        print("   ", u)
    sys.exit(bool(unexplained))


main()

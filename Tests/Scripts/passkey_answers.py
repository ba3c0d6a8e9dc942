"""Writes answers with passkeys, most of them altered: those of soft-webauthn and of ruby-webauthn's
FakeClient. Each is a line of JSON, with what is expected of it.

    passkey_answers.py COUNT FILE_OF_FAKE_CLIENT ... > answers.jsonl

The alterations are the functions whose names begin with m_: one for most answers, two for some, none
for a few. Where a client could have signed what it altered, it did. SEED in the environment makes
others.
"""

import base64
import copy
import hashlib
import json
import os
import random
import struct
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from fido2 import cbor
from fido2.cose import CoseKey, ES256, EdDSA, RS256
from soft_webauthn import SoftWebauthnDevice

rnd = random.Random(int(os.environ.get("SEED", "20261128")))
RP, ORIGIN, TOP = "example.org", "https://example.org", "https://example.com"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# ---- a ceremony: everything that an answer is made of

RSA_KEYS = [rsa.generate_private_key(65537, bits) for bits in (2048, 3072)]


def sign(key, data):
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(hashes.SHA256()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    return key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def cose(key):
    kind = {ec.EllipticCurvePrivateKey: ES256, ed25519.Ed25519PrivateKey: EdDSA, rsa.RSAPrivateKey: RS256}
    cls = next(v for k, v in kind.items() if isinstance(key, k))
    return dict(cls.from_cryptography_key(key.public_key()))


class Case:
    """One answer. `parts` are bytes; what is altered there is what is sent and, where `resign`, what is signed."""

    def __init__(
        self,
        kind,
        source,
        key,
        answer,
        challenge,
        handle,
        flags_be_bs=(False, False),
        uv=False,
        stored_key=None,
        count=0,
    ):
        self.kind, self.source, self.key = kind, source, key
        self.id = unb64(answer["rawId"])
        self.answer = answer
        r = answer["response"]
        self.client = unb64(r["clientDataJSON"])
        self.auth = self.object = None
        if kind == "registration":
            self.object = unb64(r["attestationObject"])
            self.parsed = cbor.decode(self.object)
        else:
            self.auth = unb64(r["authenticatorData"])
            self.signature = unb64(r["signature"])
        self.request = {
            "kind": kind,
            "source": source,
            "rp_id": RP,
            "origins": [ORIGIN],
            "challenge": challenge,
            "require_uv": False,
            "user_handle": b64(handle),
            "credential_id": b64(self.id),
            "backup_eligible": flags_be_bs[0],
            "backed_up": flags_be_bs[1],
            "sign_count": count,
            "identified": False,
            "mutations": [],
        }
        if stored_key is not None:
            self.request["public_key"] = b64(stored_key)
        self.text = None

    def resign(self):
        h = hashlib.sha256(self.client).digest()
        if self.kind == "authentication":
            self.signature = sign(self.key, self.auth + h)
        elif self.parsed and self.parsed.get("fmt") == "packed":
            self.parsed["attStmt"]["sig"] = sign(self.key, self.parsed["authData"] + h)
            self.object = cbor.encode(self.parsed)

    def dump(self):
        r = self.answer.get("response")
        if isinstance(r, dict):
            if "clientDataJSON" in r and isinstance(r["clientDataJSON"], str) and not self.request.get("_raw"):
                r["clientDataJSON"] = b64(self.client)
                if self.kind == "registration":
                    r["attestationObject"] = b64(self.object)
                else:
                    r["authenticatorData"] = b64(self.auth)
                    r["signature"] = b64(self.signature)
        request = {k: v for k, v in self.request.items() if not k.startswith("_")}
        request["credential"] = self.text if self.text is not None else json.dumps(self.answer)
        return request


def soft_pair():
    device = SoftWebauthnDevice()
    handle, c1, c2 = os.urandom(64), os.urandom(32), os.urandom(32)
    created = device.create(
        {
            "publicKey": {
                "pubKeyCredParams": [{"alg": -7, "type": "public-key"}],
                "rp": {"id": RP},
                "user": {"id": handle},
                "challenge": c1,
            }
        },
        ORIGIN,
    )
    got = device.get({"publicKey": {"rpId": RP, "challenge": c2}}, ORIGIN)
    kind = rnd.choice(["es256", "es256", "es256", "eddsa", "rs256"])
    key = device.private_key
    object = cbor.decode(created["response"]["attestationObject"])
    data = object["authData"]
    be, bs = rnd.choice([(False, False), (True, False), (True, True)])
    uv = rnd.random() < 0.5
    extra = (0x08 if be else 0) | (0x10 if bs else 0) | (0x04 if uv else 0)
    if kind != "es256":
        key = ed25519.Ed25519PrivateKey.generate() if kind == "eddsa" else rnd.choice(RSA_KEYS)
    data = data[:32] + bytes([data[32] | extra]) + data[33 : 55 + 32] + cbor.encode(cose(key))
    object["authData"] = data
    if rnd.random() < 0.3:
        object["fmt"] = "packed"
        object["attStmt"] = {"alg": cose(key)[3], "sig": b""}
    handle64 = handle

    def js(answer):
        r = {k: b64(v) for k, v in answer["response"].items()}
        return {
            "id": b64(answer["rawId"]),
            "rawId": b64(answer["rawId"]),
            "type": "public-key",
            "clientExtensionResults": {},
            "response": r,
        }

    a = js(created)
    a["response"]["transports"] = ["usb"]
    reg = Case("registration", "soft-webauthn", key, a, b64(c1), handle64, (be, bs), uv)
    reg.parsed, reg.object = object, cbor.encode(object)
    reg.resign()
    auth = Case(
        "authentication", "soft-webauthn", key, js(got), b64(c2), handle64, (be, bs), uv, cbor.encode(cose(key)), 0
    )
    auth.auth = auth.auth[:32] + bytes([auth.auth[32] | extra]) + auth.auth[33:]
    auth.resign()
    return reg, auth


def ruby_pairs(path):
    for line in open(path):
        x = json.loads(line)
        key = serialization.load_pem_private_key(x["key"].encode(), None)
        reg = Case(
            "registration", os.path.basename(path), key, x["created"], x["challenge_created"], unb64(x["user_handle"])
        )
        data = reg.parsed["authData"]
        item, rest = cbor.decode_from(data[37 + 18 + 16 :])
        auth = Case(
            "authentication",
            os.path.basename(path),
            key,
            x["got"],
            x["challenge_got"],
            unb64(x["user_handle"]),
            stored_key=cbor.encode(cose(key)),
        )
        yield reg, auth


# ---- alterations; each names itself


def flip(data, i=None, bit=None):
    if not data:
        return data
    i = rnd.randrange(len(data)) if i is None else i
    return data[:i] + bytes([data[i] ^ (1 << (rnd.randrange(8) if bit is None else bit))]) + data[i + 1 :]


def client(c, change, resign=True):
    d = json.loads(c.client)
    change(d)
    c.client = json.dumps(d).encode()
    if resign:
        c.resign()


def m_client_flip(c):
    c.client = flip(c.client)


def m_client_flip_signed(c):
    c.client = flip(c.client)
    c.resign()


def m_client_truncate(c):
    c.client = c.client[: rnd.randrange(len(c.client))]
    c.resign()


def m_client_append(c):
    c.client += rnd.choice([b" ", b"\n", b"}", b"\0", b"x", b",", b"\xff"])
    c.resign()


def m_client_prepend(c):
    c.client = rnd.choice([b" ", b"\xef\xbb\xbf", b"\0", b"\xff\xfe", b"\xfe\xff"]) + c.client
    c.resign()


def m_client_utf16(c):
    c.client = c.client.decode().encode(rnd.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32"]))
    c.resign()


def m_client_member_twice(c):
    name = rnd.choice(["type", "challenge", "origin", "crossOrigin"])
    d = json.loads(c.client)
    value = d.get(name, False)
    c.client = c.client[:-1] + f', "{name}": {json.dumps(value)}'.encode() + b"}"
    c.resign()


def m_client_member_missing(c):
    client(c, lambda d: d.pop(rnd.choice(["type", "challenge", "origin"])))


def m_client_member_type(c):
    client(
        c,
        lambda d: d.__setitem__(
            rnd.choice(["type", "challenge", "origin"]),
            rnd.choice([None, 1, True, [], {}, "", ["https://example.org"]]),
        ),
    )


def m_client_type(c):
    client(
        c,
        lambda d: d.__setitem__(
            "type", rnd.choice(["webauthn.create", "webauthn.get", "payment.get", "Webauthn.get", "webauthn.get "])
        ),
    )


def m_client_challenge(c):
    client(
        c,
        lambda d: d.__setitem__(
            "challenge", rnd.choice([b64(os.urandom(32)), "", b64(flip(unb64(d["challenge"]))), d["challenge"][:-1]])
        ),
    )


def m_client_challenge_spelling(c):
    def change(d):
        s = d["challenge"]
        last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        d["challenge"] = rnd.choice(
            [
                s + "=",
                s + "==",
                s + "\n",
                s.replace("-", "+").replace("_", "/") + "=",
                s[:-1] + last[(last.index(s[-1]) | 1)],
                " " + s,
                s[:5] + "!" + s[5:],
            ]
        )

    client(c, change)


def m_client_origin(c):
    client(
        c,
        lambda d: d.__setitem__(
            "origin",
            rnd.choice(
                [
                    "http://example.org",
                    "https://example.org/",
                    "https://example.org:443",
                    "https://EXAMPLE.org",
                    "https://sub.example.org",
                    "https://evil.example",
                    "https://example.org.evil.example",
                    "null",
                    "https://example.org\u0301",
                    "https://example.org\0",
                    "android:apk-key-hash:R8xO7rlQV3vlbLq9lzUKHUzpQ_ohGgtsdVGmVYXkS1g",
                ]
            ),
        ),
    )


def m_client_cross_origin(c):
    client(
        c,
        lambda d: d.update(
            rnd.choice(
                [
                    {"crossOrigin": True},
                    {"crossOrigin": True, "topOrigin": TOP},
                    {"topOrigin": TOP},
                    {"crossOrigin": False, "topOrigin": ORIGIN},
                ]
            )
        ),
    )


def m_client_cross_origin_good(c):
    c.request["top_origins"] = [TOP]
    client(c, lambda d: d.update(rnd.choice([{"crossOrigin": True, "topOrigin": TOP}, {"crossOrigin": False}])))


def m_client_cross_origin_type(c):
    client(
        c,
        lambda d: d.update(
            rnd.choice([{"crossOrigin": None}, {"crossOrigin": 0}, {"crossOrigin": "false"}, {"topOrigin": None}])
        ),
    )


def m_client_extra(c):
    client(
        c,
        lambda d: d.update(
            rnd.choice(
                [
                    {"other_keys_can_be_added_here": "x"},
                    {"tokenBinding": {"status": "supported"}},
                    {"tokenBinding": {"status": "present", "id": "AA"}},
                    {"tokenBinding": {"status": "nonsense"}},
                    {"tokenBinding": "unused"},
                    {"tokenBinding": {}},
                    {"extra": [[[]]]},
                    {"n": 1e400},
                    {"n": -0.0},
                ]
            )
        ),
    )


def m_client_number(c):
    c.client = c.client[:-1] + rnd.choice(
        [
            b', "x": NaN}',
            b', "x": Infinity}',
            b', "x": 01}',
            b', "x": 1.}',
            b', "x": .5}',
            b', "x": +1}',
            b', "x": 1e5}',
        ]
    )
    c.resign()


def m_client_deep(c):
    n = rnd.choice([10, 28, 40, 500])
    c.client = c.client[:-1] + b', "x": ' + b"[" * n + b"]" * n + b"}"
    c.resign()


def m_client_long(c):
    client(c, lambda d: d.__setitem__("x", "y" * rnd.choice([100, 1000, 3000, 5000, 20000])))


def m_client_reordered(c):
    d = json.loads(c.client)
    items = list(d.items())
    rnd.shuffle(items)
    c.client = json.dumps(dict(items), indent=rnd.choice([None, 1]), separators=rnd.choice([None, (",", ":")])).encode()
    c.resign()


def m_client_escaped(c):
    c.client = c.client.replace(
        b"https://example.org",
        rnd.choice(
            [
                b"https:\\/\\/example.org",
                b"\\u0068ttps://example.org",
                b"https://example.or\\u0067",
                b"https://example.or\\u0000g",
            ]
        ),
    )
    c.resign()


def m_client_surrogate(c):
    c.client = c.client[:-1] + rnd.choice(
        [b', "x": "\\ud800"}', b', "\\udc00": 1}', b', "x": "\xed\xa0\x80"}', b', "x": "\xc0\x80"}']
    )
    c.resign()


def data(c):
    return c.parsed["authData"] if c.kind == "registration" else c.auth


def put(c, value, resign=True):
    if c.kind == "registration":
        c.parsed["authData"] = value
        c.object = cbor.encode(c.parsed)
    else:
        c.auth = value
    if resign:
        c.resign()


def m_data_flip(c):
    put(c, flip(data(c)), resign=False)


def m_data_flip_signed(c):
    put(c, flip(data(c)))


def m_data_hash(c):
    put(c, flip(data(c), rnd.randrange(32)))


def m_data_other_rp(c):
    put(
        c,
        hashlib.sha256(rnd.choice([b"example.com", b"EXAMPLE.org", b"", b"https://example.org"])).digest()
        + data(c)[32:],
    )


def m_data_flags(c):
    d = data(c)
    put(c, d[:32] + bytes([(d[32] & 0xC0) | rnd.randrange(64)]) + d[33:])


def m_data_flags_any(c):
    d = data(c)
    put(c, d[:32] + bytes([rnd.randrange(256)]) + d[33:])


def m_data_count(c):
    d = data(c)
    put(c, d[:33] + struct.pack(">I", rnd.choice([0, 1, 2, 5, 2**31, 2**32 - 1])) + d[37:])


def m_data_truncate(c):
    put(c, data(c)[: rnd.randrange(len(data(c)))])


def m_data_append(c):
    put(c, data(c) + os.urandom(rnd.randrange(1, 4)))


def m_data_extensions(c):
    d = data(c)
    if d[32] & 0x80:
        return m_data_append(c)
    ext = rnd.choice(
        [
            cbor.encode({"credProtect": 2}),
            cbor.encode({}),
            cbor.encode({"hmac-secret": True, "credProtect": 1}),
            cbor.encode({"a": {"b": {"c": [1]}}}),
        ]
    )
    put(c, d[:32] + bytes([d[32] | 0x80]) + d[33:] + ext)


def m_data_extensions_bad(c):
    d = data(c)
    if d[32] & 0x80:
        return m_data_append(c)
    ext = rnd.choice(
        [
            b"\x01",
            b"\x80",
            b"\xf6",
            b"\xa1\x61",
            bytes.fromhex("a2616100616101"),
            bytes.fromhex("bfff"),
            bytes.fromhex("a2616200616100"),
            bytes.fromhex("b800"),
            bytes.fromhex("a16161f97e00"),
            bytes.fromhex("a16161c100"),
            bytes.fromhex("a1616181818181818100"),
            bytes.fromhex("a161611800"),
            b"",
        ]
    )
    put(c, d[:32] + bytes([d[32] | 0x80]) + d[33:] + ext)


def m_data_attested_in_assertion(c):
    if c.kind != "authentication":
        return m_data_flip(c)
    d = c.auth
    put(c, d[:32] + bytes([d[32] | 0x40]) + d[33:37] + bytes(16) + b"\0\x01\x09" + cbor.encode(cose(c.key)) + d[37:])


def m_data_no_credential(c):
    if c.kind != "registration":
        return m_data_flip(c)
    d = data(c)
    put(c, d[:32] + bytes([d[32] & 0x3F]) + d[33:37])


def m_data_id(c):
    if c.kind != "registration":
        return m_data_flip(c)
    d = data(c)
    n = struct.unpack(">H", d[53:55])[0]
    new = rnd.choice([os.urandom(n), b"", b"\0", os.urandom(1023), os.urandom(1024), c.id + b"\0"])
    put(c, d[:53] + struct.pack(">H", len(new)) + new + d[55 + n :])


def m_data_id_length(c):
    if c.kind != "registration":
        return m_data_flip(c)
    d = data(c)
    put(c, d[:53] + struct.pack(">H", rnd.choice([0, 1, 15, 17, 31, 33, 64, 1023, 1024, 65535])) + d[55:])


def m_data_aaguid(c):
    if c.kind != "registration":
        return m_data_flip(c)
    d = data(c)
    put(c, d[:37] + rnd.choice([os.urandom(16), bytes(16)]) + d[53:])


def m_object_flip(c):
    if c.kind == "registration":
        c.object = flip(c.object)
    else:
        c.signature = flip(c.signature)


def m_object_head_flip(c):
    if c.kind == "registration":
        c.object = flip(c.object, rnd.randrange(40))
    else:
        c.auth = flip(c.auth, rnd.randrange(32, 37))


def m_object_truncate(c):
    if c.kind != "registration":
        return m_data_flip(c)
    c.object = c.object[: rnd.randrange(len(c.object))]


def m_object_append(c):
    if c.kind != "registration":
        return m_data_flip(c)
    c.object += rnd.choice([b"\0", b"\xa0", b"\xff", os.urandom(3)])


def raw_map(entries, head=None):
    return (head or bytes([0xA0 | len(entries)])) + b"".join(
        cbor.encode(k) + (v if isinstance(v, bytes) else cbor.encode(v)) for k, v in entries
    )


def m_object_form(c):
    """Another encoding of the same object."""
    if c.kind != "registration":
        return m_client_reordered(c)
    p = c.parsed
    f, s, a = (
        ("fmt", cbor.encode(p["fmt"])),
        ("attStmt", cbor.encode(p["attStmt"])),
        ("authData", cbor.encode(p["authData"])),
    )
    n = len(p["authData"])
    c.object = rnd.choice(
        [
            raw_map([a, f, s]),
            raw_map([s, f, a]),
            raw_map([f, a, s]),
            raw_map([f, s, a], b"\xb8\x03"),
            raw_map([f, s, a], b"\xbf") + b"\xff",
            raw_map([f, s, ("authData", b"\x5a" + struct.pack(">I", n) + p["authData"])]),
            raw_map([f, s, ("authData", b"\x5f" + a[1] + b"\xff")]),
            raw_map([("fmt", b"\x78" + bytes([len(p["fmt"])]) + p["fmt"].encode()), s, a]),
            b"\xd9\xd9\xf7" + raw_map([f, s, a]),
            raw_map([f, ("attStmt", b"\xbf\xff"), a]) if p["fmt"] == "none" else raw_map([s, a, f]),
            raw_map([f, ("attStmt", b"\xb8\x00"), a]) if p["fmt"] == "none" else raw_map([s, a, f]),
        ]
    )


def m_object_entries(c):
    if c.kind != "registration":
        return m_data_flip(c)
    p = c.parsed
    f, s, a = (
        ("fmt", cbor.encode(p["fmt"])),
        ("attStmt", cbor.encode(p["attStmt"])),
        ("authData", cbor.encode(p["authData"])),
    )
    c.object = rnd.choice(
        [
            raw_map([f, s]),
            raw_map([f, a]),
            raw_map([s, a]),
            raw_map([f, s, a, ("authData2", b"\0")]),
            raw_map([f, f, s, a]),
            raw_map([f, s, a, a]),
            raw_map([(1, f[1]), (2, a[1]), (3, s[1])]),
            raw_map([f, ("attStmt", b"\xf6"), a]),
            raw_map([f, ("attStmt", b"\x80"), a]),
            raw_map([f, s, ("authData", b"\xf6")]),
            raw_map([f, s, ("authData", cbor.encode(b64(p["authData"])))]),
            raw_map([("fmt", b"\x44none"), s, a]),
            b"\x83" + f[1] + s[1] + a[1],
            b"\xa0",
            b"\xf6",
            b"\x00",
        ]
    )


def m_object_format(c):
    if c.kind != "registration":
        return m_data_flip(c)
    c.parsed["fmt"] = rnd.choice(
        [
            "none",
            "packed",
            "fido-u2f",
            "tpm",
            "apple",
            "android-key",
            "android-safetynet",
            "compound",
            "None",
            "",
            "none ",
            "x",
        ]
    )
    c.object = cbor.encode(c.parsed)


def m_object_statement(c):
    if c.kind != "registration":
        return m_data_flip(c)
    s = c.parsed["attStmt"]
    change = rnd.choice(["alg", "sig", "extra", "noalg", "nosig", "x5c", "empty", "set"])
    if change == "alg":
        s["alg"] = rnd.choice([-7, -8, -257, -35, 0])
    elif change == "sig":
        s["sig"] = rnd.choice([os.urandom(70), b"", flip(s.get("sig", b"a"))])
    elif change == "extra":
        s["zz"] = 1
    elif change == "noalg":
        s.pop("alg", None)
    elif change == "nosig":
        s.pop("sig", None)
    elif change == "x5c":
        s["x5c"] = [os.urandom(30)]
    elif change == "empty":
        s.clear()
    else:
        s["ver"] = "2.0"
    c.object = cbor.encode(c.parsed)


def key_entries(c):
    return dict(cose(c.key))


def put_key(c, encoded):
    d = data(c)
    n = struct.unpack(">H", d[53:55])[0]
    _, rest = cbor.decode_from(d[55 + n :])
    put(c, d[: 55 + n] + encoded + rest)


def m_key_entry(c):
    if c.kind != "registration":
        return m_signature(c)
    k = key_entries(c)
    label = rnd.choice(list(k) + [2, 4, 5, -4, "x"])
    k[label] = rnd.choice(
        [
            0,
            1,
            2,
            3,
            -7,
            -8,
            -257,
            -35,
            -36,
            6,
            4,
            b"",
            os.urandom(32),
            os.urandom(31),
            os.urandom(33),
            True,
            "P-256",
            bytes(32),
            b"\xff" * 32,
        ]
    )
    put_key(c, cbor.encode(k))


def m_key_missing(c):
    if c.kind != "registration":
        return m_signature(c)
    k = key_entries(c)
    k.pop(rnd.choice(list(k)))
    put_key(c, cbor.encode(k))


def m_key_form(c):
    if c.kind != "registration":
        return m_signature(c)
    k = key_entries(c)
    items = list(k.items())
    rnd.shuffle(items)
    put_key(
        c,
        rnd.choice(
            [
                raw_map([(a, cbor.encode(b)) for a, b in items]),
                b"\xbf" + cbor.encode(k)[1:] + b"\xff",
                b"\xb8" + bytes([len(k)]) + cbor.encode(k)[1:],
                cbor.encode(k).replace(b"\x01", b"\x18\x01", 1),
            ]
        ),
    )


def m_key_off_curve(c):
    if c.kind != "registration":
        return m_signature(c)
    k = key_entries(c)
    if k[1] == 2:
        k[rnd.choice([-2, -3])] = os.urandom(32)
    elif k[1] == 3:
        k[rnd.choice([-1, -2])] = rnd.choice(
            [b"\x03", b"\x01", b"\0\x01\0\x01", b"\x01\0\0", os.urandom(256), b"\0" + k[-1], k[-1][:-1]]
        )
    else:
        k[-2] = rnd.choice([os.urandom(32), bytes(32), b"\xff" * 32])
    put_key(c, cbor.encode(k))


def m_key_other(c):
    if c.kind == "registration":
        put_key(c, cbor.encode(cose(ec.generate_private_key(ec.SECP256R1()))))
    else:
        c.request["public_key"] = b64(cbor.encode(cose(ec.generate_private_key(ec.SECP256R1()))))


def m_signature(c):
    if c.kind == "registration":
        if c.parsed["fmt"] != "packed":
            return m_data_flip(c)
        s = c.parsed["attStmt"]["sig"]
    else:
        s = c.signature
    s = rnd.choice(
        [
            flip(s),
            s[:-1],
            s + b"\0",
            b"",
            os.urandom(len(s)),
            b"\0" * len(s),
            b"\x30\x06\x02\x01\x00\x02\x01\x00",
            b"\x30\x06\x02\x01\x01\x02\x01\x01",
            s[::-1],
        ]
    )
    if c.kind == "registration":
        c.parsed["attStmt"]["sig"] = s
        c.object = cbor.encode(c.parsed)
    else:
        c.signature = s


def m_signature_form(c):
    """The same numbers in other forms of an ECDSA signature."""
    if c.kind == "registration" or not isinstance(c.key, ec.EllipticCurvePrivateKey):
        return m_signature(c)
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

    r, s = decode_dss_signature(c.signature)
    n = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    x = c.signature
    c.signature = rnd.choice(
        [
            encode_dss_signature(r, n - s),
            encode_dss_signature(r + n, s),
            encode_dss_signature(r, s + n),
            r.to_bytes(32, "big") + s.to_bytes(32, "big"),
            b"\x30\x81" + x[1:],
            b"\x30\x80" + x[2:] + b"\0\0",
            b"\x30" + bytes([x[1] + 1]) + b"\x02" + bytes([x[3] + 1]) + b"\0" + x[4:],
        ]
    )


def m_text_flip(c):
    c.text = flip(json.dumps(c.dump_answer()).encode()).decode("latin1")


def m_text_truncate(c):
    t = json.dumps(c.dump_answer())
    c.text = t[: rnd.randrange(len(t))]


def m_text_member_twice(c):
    t = json.dumps(c.dump_answer())
    c.text = rnd.choice(
        [
            t[:-1] + ', "id": ' + json.dumps(c.answer["id"]) + "}",
            t[:-1] + ', "type": "public-key"}',
            t[:-1] + ', "id": "AAAA"}',
        ]
    )


def m_text_around(c):
    t = json.dumps(c.dump_answer())
    c.text = rnd.choice([" " + t + "\n", t + "x", "[" + t + "]", "\ufeff" + t, t + t, t.replace(":", " : ", 3)])


def m_answer_member(c):
    c.dump_answer()
    name = rnd.choice(["id", "rawId", "type", "response", "clientExtensionResults", "authenticatorAttachment", "other"])
    value = rnd.choice([None, 1, True, [], {}, "", "AAAA", "public-key", "platform", "cross-platform", "x"])
    if rnd.random() < 0.3:
        c.answer.pop(name, None)
    else:
        c.answer[name] = value
    c.request["_raw"] = True


def m_response_member(c):
    c.dump_answer()
    r = c.answer["response"]
    name = rnd.choice(list(r) + ["transports", "userHandle", "publicKey", "publicKeyAlgorithm", "authenticatorData"])
    if rnd.random() < 0.3:
        r.pop(name, None)
    else:
        r[name] = rnd.choice([None, 1, True, [], {}, "", "AAAA", ["usb"], ["x"], [1], "A", "!!!!"])
    c.request["_raw"] = True


def m_response_spelling(c):
    c.dump_answer()
    r = c.answer["response"]
    name = rnd.choice([k for k, v in r.items() if isinstance(v, str)])
    s = r[name]
    r[name] = rnd.choice(
        [s + "=", s + "==", s.replace("-", "+").replace("_", "/"), s + "\n", " " + s, s[:3] + "!" + s[3:], s[:-1]]
    )
    c.request["_raw"] = True


def m_id_spelling(c):
    c.dump_answer()
    s = c.answer["rawId"]
    new = rnd.choice([s + "=", s + "==", s.replace("-", "+").replace("_", "/"), b64(flip(c.id)), s[:-1], s.upper()])
    if rnd.random() < 0.5:
        c.answer["id"] = new
    if rnd.random() < 0.5:
        c.answer["rawId"] = new
    c.request["_raw"] = True


def m_id_other(c):
    c.id = flip(c.id)
    c.answer["id"] = c.answer["rawId"] = b64(c.id)


def m_handle(c):
    if c.kind == "registration":
        return m_id_other(c)
    c.answer["response"]["userHandle"] = rnd.choice(
        [b64(os.urandom(64)), b64(os.urandom(1)), b64(os.urandom(65)), "", b64(flip(unb64(c.request["user_handle"])))]
    )


def m_handle_missing(c):
    if c.kind == "registration":
        return m_id_other(c)
    c.answer["response"]["userHandle"] = None
    c.request["identified"] = rnd.random() < 0.5


def m_expect_challenge(c):
    c.request["challenge"] = b64(os.urandom(32))


def m_expect_origin(c):
    if c.request["rp_id"] != RP:
        return  # None of these origins is within the other relying party.
    c.request["origins"] = rnd.choice(
        [
            ["https://other.example.org", "https://example.org"],
            ["https://app.example.org"],
            ["https://example.org:8443"],
        ]
    )


def m_expect_rp(c):
    c.request["rp_id"] = "sub.example.org"
    c.request["origins"] = ["https://sub.example.org", ORIGIN]


def m_expect_uv(c):
    c.request["require_uv"] = True


def m_expect_count(c):
    c.request["sign_count"] = rnd.choice([0, 1, 2, 100, 2**32 - 1])


def m_expect_backup(c):
    c.request["backup_eligible"] = not c.request["backup_eligible"]


def m_none(c):
    pass


def dump_answer(self):
    self.dump()
    return self.answer


Case.dump_answer = dump_answer

mutations = [f for n, f in sorted(globals().items()) if n.startswith("m_")]


def main():
    count = int(sys.argv[1])
    ruby = [p for path in sys.argv[2:] for p in ruby_pairs(path)]
    made = 0
    while made < count:
        pair = rnd.choice(ruby) if rnd.random() < 0.4 else soft_pair()
        for case in pair:
            case = copy.copy(case)
            case.request, case.answer = copy.deepcopy(case.request), copy.deepcopy(case.answer)
            if case.kind == "registration":
                case.parsed = copy.deepcopy(case.parsed)
            for m in ([m_none] if rnd.random() < 0.08 else rnd.sample(mutations, 1 if rnd.random() < 0.85 else 2)):
                try:
                    m(case)
                except Exception as e:
                    case.request["mutations"].append(f"{m.__name__}-failed")
                    continue
                case.request["mutations"].append(m.__name__)
            print(json.dumps(case.dump()))
            made += 1


main()

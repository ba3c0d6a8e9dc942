"""Reads what rest-auth audit export wrote, computes the digest of its last sealed row as the page Audit says, and
prints the head that it has, and how many rows lie beyond."""

import datetime
import hashlib
import json
import struct
import sys
import uuid


def octets(value):
    return b"\0" if value is None else b"\1" + struct.pack(">Q", len(value)) + value


def text(value):
    return octets(None if value is None else value.encode())


def number(value):
    return b"\0" if value is None else b"\2" + struct.pack(">q", value)


def microseconds(value):
    whole, _, fraction = value.removesuffix("Z").partition(".")
    return int(datetime.datetime.fromisoformat(whole + "+00:00").timestamp()) * 1_000_000 + int(fraction or 0)


lines = [json.loads(line) for line in sys.stdin]
last, digest = lines[0]["anchor"]["number"], bytes.fromhex(lines[0]["anchor"]["digest"])
head = lines[-1]["head"]
beyond = 0
for row in lines[1:-1]:
    if row["number"] is None or row["number"] > int(head.split()[0]):
        beyond += 1
        continue
    last += 1
    assert beyond == 0 and row["number"] == last, row
    session = row["session_id"]
    details = json.dumps(row["details"], separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(
        octets(digest) + number(last) + number(row["id"]) + number(microseconds(row["at"])) + text(row["name"])
        + number(row["user_id"]) + octets(session and uuid.UUID(session).bytes) + text(row["actor"]["kind"])
        + text(row["actor"]["id"]) + text(row["request_id"]) + text(row["address"]) + text(row["user_agent"])
        + text(details)
    ).digest()
assert head.split()[:2] == [str(last), digest.hex()], (last, digest.hex())
print(head)
print(beyond)

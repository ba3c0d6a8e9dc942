"""Users of other systems, made up: their hashes have the shape of real ones and are nobody's."""

import base64
import json
import random
import string

CRYPT_DIGITS = "./" + string.digits + string.ascii_uppercase + string.ascii_lowercase


def foreign_users(count):
    """Id, name and password hash, the forms of the hashes taking turns; always the same."""
    chance = random.Random(1)
    for id in range(1, count + 1):
        yield id, f"{chance.getrandbits(64):016x}", FORMS[id % len(FORMS)](chance)


def _werkzeug_pbkdf2(chance):
    return f"pbkdf2:sha256:600000${_letters(chance, 16)}${chance.randbytes(32).hex()}"


def _werkzeug_scrypt(chance):
    return f"scrypt:32768:8:1${_letters(chance, 16)}${chance.randbytes(64).hex()}"


def _passlib_pbkdf2(chance):
    return "$pbkdf2-sha256$29000" + "".join("$" + _base64(chance, length).replace("+", ".") for length in (16, 32))


def _passlib_sha256_crypt(chance):
    # 256 bits in digits of six: the last has four.
    digest = "".join(chance.choices(CRYPT_DIGITS, k=42)) + chance.choice(CRYPT_DIGITS[:16])
    return f"$5$rounds=535000${_letters(chance, 16)}${digest}"


def _argon2(chance):
    return f"$argon2id$v=19$m=65536,t=3,p=4${_base64(chance, 16)}${_base64(chance, 32)}"


FORMS = [_werkzeug_pbkdf2, _werkzeug_scrypt, _passlib_pbkdf2, _passlib_sha256_crypt, _argon2]


def _letters(chance, count):
    return "".join(chance.choices(string.digits + string.ascii_uppercase + string.ascii_lowercase, k=count))


def _base64(chance, length):
    return base64.b64encode(chance.randbytes(length)).decode().rstrip("=")


def write_json_lines(file, users):
    with open(file, "w") as lines:
        for id, name, password_hash in users:
            lines.write(json.dumps({"id": id, "username": name, "password_hash": password_hash}) + "\n")


def write_copy(file, users):
    """In the text format of PostgreSQL's COPY, which has nothing to escape in these: the columns of
    `COPIED`."""
    with open(file, "w") as lines:
        for id, name, password_hash in users:
            lines.write("\t".join([str(id), name, name, password_hash, "now", "now"]) + "\n")


COPIED = "id, username, canonical_username, password_hash, created_at, password_changed_at"

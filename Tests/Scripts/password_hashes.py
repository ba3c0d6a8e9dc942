"""Password hashes made by their own libraries: password_hashes.py [DIRECTORY ...] prints them as a
JSON array.

The output has every form for every password at low cost, and each library's hash at its default
cost. A DIRECTORY contains an older Werkzeug or Django
(pip install --no-deps --target DIRECTORY Werkzeug==0.16.1), whose default hash is added.
Tests/Vectors/password-hashes.json is the output, with the versions that its `older` members name.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import warnings

import argon2
import django.conf
import passlib.hash
import werkzeug.security
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

django.conf.settings.configure()
from django.contrib.auth import hashers  # noqa: E402, which reads the settings

warnings.simplefilter("ignore")
# The other backend is the library under test.
for handler in (passlib.hash.sha256_crypt, passlib.hash.sha512_crypt):
    handler.set_backend("builtin")
# Loads the backend now: handlers that are derived before that would never load it.
passlib.hash.argon2.set_backend("argon2_cffi")

PASSWORDS = ["a", "python", "correct horse battery staple", " two  blanks ", "pässwörd", "🔑 пароль", "Bb3" * 24, "Bb3" * 24 + "!", "0123456789" * 10]
PASSWORD = PASSWORDS[2]

ARGON2 = {"time_cost": 2, "memory_cost": 64, "hash_len": 32}
FIREBASE = {
    "signer_key": "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==",
    "separator": "Bw==",
}
# The example in the repository firebase/scrypt, and the one in GoTrue's tests.
PUBLISHED = [
    ("fbscrypt", "firebase_scrypt", "user1password",
     f"$fbscrypt$v=1,n=14,r=8,p=1,ss={FIREBASE['separator']},sk={FIREBASE['signer_key']}$42xEC+ixf3L2lw==$"
     "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="),
    ("fbscrypt", "firebase_scrypt", "mytestpassword",
     "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=ou9tdYTGyYm8kuR6Dt0Bp0kDuAYoXrK16mbZO4yGwAn3oLspjnN0/c41v8xZnO1n14J3MjKj1b2g6AUCAlFwMw==$"
     "C0sHCg9ek77hsg==$zKVTMvnWVw5BBOZNUdnsalx4c4c7y/w7IS5p6Ut2+CfEFFlz37J9huyQfov4iizN8dbjvEJlM5tQaJP84+hfTw=="),
]


def firebase(password, n=4, r=8, p=1):
    salt = os.urandom(10)
    separator, signer_key = (base64.b64decode(FIREBASE[name]) for name in ("separator", "signer_key"))
    key = hashlib.scrypt(password.encode(), salt=salt + separator, n=1 << n, r=r, p=p, dklen=32, maxmem=1 << 30)
    encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    salt, digest = (base64.b64encode(part).decode() for part in (salt, encryptor.update(signer_key)))
    return f"$fbscrypt$v=1,n={n},r={r},p={p},ss={FIREBASE['separator']},sk={FIREBASE['signer_key']}${salt}${digest}"


def argon2_cffi(**costs):
    return argon2.PasswordHasher(**{**ARGON2, **costs}).hash


def made_by_passlib(name, **settings):
    return getattr(passlib.hash, name).using(**settings).hash


def made_by_werkzeug(method, length=16):
    return lambda password: werkzeug.security.generate_password_hash(password, method, length)


def made_by_django(hasher, **costs):
    """Django's hasher, with the costs as attributes of a subclass."""
    hasher = type(hasher.__name__, (hasher,), costs)()
    return lambda password: hasher.encode(password, hasher.salt())


def made_by_django_bcrypt(hasher):
    return made_by_django(hasher, rounds=4)


# Form, scheme, and a function that makes a hash at low cost.
SMALL = [
    ("argon2", "argon2id", argon2_cffi(parallelism=1)),
    ("argon2", "argon2id", argon2_cffi(parallelism=4)),
    ("argon2", "argon2i", argon2_cffi(parallelism=2, type=argon2.Type.I)),
    ("argon2", "argon2i", made_by_passlib("argon2", type="I", time_cost=1, memory_cost=32, parallelism=1, digest_size=16, salt_size=8)),
    ("django_argon2", "argon2id", made_by_django(hashers.Argon2PasswordHasher, time_cost=1, memory_cost=64, parallelism=2)),
    ("sha256_crypt", "sha256_crypt", made_by_passlib("sha256_crypt", rounds=1000)),
    ("sha256_crypt", "sha256_crypt", made_by_passlib("sha256_crypt", rounds=5000, salt_size=1)),
    ("sha512_crypt", "sha512_crypt", made_by_passlib("sha512_crypt", rounds=1001)),
    ("sha512_crypt", "sha512_crypt", made_by_passlib("sha512_crypt", rounds=5000, salt_size=8)),
    ("bcrypt", "bcrypt", made_by_passlib("bcrypt", rounds=4, ident="2a")),
    ("bcrypt", "bcrypt", made_by_passlib("bcrypt", rounds=4, ident="2b")),
    ("bcrypt", "bcrypt", made_by_passlib("bcrypt", rounds=4, ident="2y")),
    ("django_bcrypt", "bcrypt", made_by_django_bcrypt(hashers.BCryptPasswordHasher)),
    ("django_bcrypt", "bcrypt_sha256", made_by_django_bcrypt(hashers.BCryptSHA256PasswordHasher)),
    ("bcrypt_sha256_1", "bcrypt_sha256", made_by_passlib("bcrypt_sha256", rounds=4, version=1, ident="2a")),
    ("bcrypt_sha256_1", "bcrypt_sha256", made_by_passlib("bcrypt_sha256", rounds=4, version=1)),
    ("bcrypt_sha256_2", "bcrypt_sha256", made_by_passlib("bcrypt_sha256", rounds=4)),
    ("passlib_pbkdf2", "pbkdf2_sha1", made_by_passlib("pbkdf2_sha1", rounds=1)),
    ("passlib_pbkdf2", "pbkdf2_sha256", made_by_passlib("pbkdf2_sha256", rounds=100, salt_size=17)),
    ("passlib_pbkdf2", "pbkdf2_sha512", made_by_passlib("pbkdf2_sha512", rounds=10, salt_size=1)),
    ("werkzeug_pbkdf2", "pbkdf2_sha1", made_by_werkzeug("pbkdf2:sha1:1000", 8)),
    ("werkzeug_pbkdf2", "pbkdf2_sha256", made_by_werkzeug("pbkdf2:sha256:1", 1)),
    ("werkzeug_pbkdf2", "pbkdf2_sha512", made_by_werkzeug("pbkdf2:sha512:100")),
    ("django_pbkdf2", "pbkdf2_sha1", made_by_django(hashers.PBKDF2SHA1PasswordHasher, iterations=10)),
    ("django_pbkdf2", "pbkdf2_sha256", made_by_django(hashers.PBKDF2PasswordHasher, iterations=100)),
    ("passlib_scrypt", "scrypt", made_by_passlib("scrypt", rounds=4)),
    ("passlib_scrypt", "scrypt", made_by_passlib("scrypt", rounds=1, block_size=3, parallelism=5)),
    ("werkzeug_scrypt", "scrypt", made_by_werkzeug("scrypt:64:8:2")),
    ("werkzeug_scrypt", "scrypt", made_by_werkzeug("scrypt:128:2:3", 8)),
    ("werkzeug_scrypt", "scrypt", made_by_werkzeug("scrypt:128:32:1")),
    ("django_scrypt", "scrypt", made_by_django(hashers.ScryptPasswordHasher, work_factor=16, parallelism=3)),
    ("fbscrypt", "firebase_scrypt", firebase),
    ("phpass", "phpass", made_by_passlib("phpass", rounds=7)),
    ("phpass", "phpass", made_by_passlib("phpass", rounds=8, ident="H")),
]

# The same at the library's default cost.
DEFAULT = [
    ("argon2", "argon2id", argon2.PasswordHasher().hash),
    ("argon2", "argon2id", passlib.hash.argon2.hash),
    ("django_argon2", "argon2id", made_by_django(hashers.Argon2PasswordHasher)),
    ("sha256_crypt", "sha256_crypt", passlib.hash.sha256_crypt.hash),
    ("sha512_crypt", "sha512_crypt", passlib.hash.sha512_crypt.hash),
    ("bcrypt", "bcrypt", passlib.hash.bcrypt.hash),
    ("django_bcrypt", "bcrypt", made_by_django(hashers.BCryptPasswordHasher)),
    ("django_bcrypt", "bcrypt_sha256", made_by_django(hashers.BCryptSHA256PasswordHasher)),
    ("bcrypt_sha256_1", "bcrypt_sha256", made_by_passlib("bcrypt_sha256", version=1)),
    ("bcrypt_sha256_2", "bcrypt_sha256", passlib.hash.bcrypt_sha256.hash),
    ("passlib_pbkdf2", "pbkdf2_sha1", passlib.hash.pbkdf2_sha1.hash),
    ("passlib_pbkdf2", "pbkdf2_sha256", passlib.hash.pbkdf2_sha256.hash),
    ("passlib_pbkdf2", "pbkdf2_sha512", passlib.hash.pbkdf2_sha512.hash),
    ("werkzeug_pbkdf2", "pbkdf2_sha256", made_by_werkzeug("pbkdf2")),
    ("django_pbkdf2", "pbkdf2_sha1", made_by_django(hashers.PBKDF2SHA1PasswordHasher)),
    ("django_pbkdf2", "pbkdf2_sha256", made_by_django(hashers.PBKDF2PasswordHasher)),
    ("passlib_scrypt", "scrypt", passlib.hash.scrypt.hash),
    ("werkzeug_scrypt", "scrypt", werkzeug.security.generate_password_hash),
    ("django_scrypt", "scrypt", made_by_django(hashers.ScryptPasswordHasher)),
    ("fbscrypt", "firebase_scrypt", lambda password: firebase(password, n=14)),
    ("phpass", "phpass", passlib.hash.phpass.hash),
]

OLDER = {
    "werkzeug": "from werkzeug.security import generate_password_hash as make",
    "django": "import django.conf; django.conf.settings.configure(); from django.contrib.auth.hashers import make_password as make",
}


def older(directory):
    """The default hash of the library in that directory, with the version of the library."""
    library = next(name for name in OLDER if os.path.isdir(f"{directory}/{name}"))
    version = f"import importlib.metadata; print(importlib.metadata.version('{library}'))"
    lines = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"{OLDER[library]}; print(make({PASSWORD!r})); {version}"],
        env={**os.environ, "PYTHONPATH": directory}, check=True, capture_output=True, text=True).stdout.split()
    method = lines[0].replace(":", "_").replace("$", "_").split("_")
    scheme = "scrypt" if method[0] == "scrypt" else "_".join(method[:2])
    return {"form": f"{library}_{method[0]}", "scheme": scheme, "password": PASSWORD, "hash": lines[0], "older": f"{library} {lines[1]}"}


def entry(form, scheme, password, text, **more):
    return {"form": form, "scheme": scheme, "password": password, "hash": text, **more}


entries = [entry(form, scheme, password, make(password)) for form, scheme, make in SMALL for password in PASSWORDS]
entries += [entry(form, scheme, PASSWORD, make(PASSWORD), default=True) for form, scheme, make in DEFAULT]
entries += [entry(*published) for published in PUBLISHED]
entries += [older(directory) for directory in sys.argv[1:]]
print("[\n" + ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries) + "\n]")

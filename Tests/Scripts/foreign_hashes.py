"""Password hashes of other systems: foreign_hashes.py OLD_WERKZEUG prints a JSON array of them.

OLD_WERKZEUG is a directory with Werkzeug 0.16.1
(pip install --no-deps --target DIRECTORY Werkzeug==0.16.1). The programs php, htpasswd, doveadm,
slappasswd, perl and openssl are looked up in PATH, and ruby with the gem bcrypt. Hashes for which
no program was available are computed here from the documentation; their "maker" says so.
Tests/Vectors/foreign-hashes.json is the output.
"""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys

import argon2.low_level
import django.conf
import passlib.hash

django.conf.settings.configure()
from django.contrib.auth import hashers  # noqa: E402, which reads the settings

PASSWORDS = ["python", "correct horse battery staple", "pässwörd", "0123456789" * 10]
PEPPER = "k9#Vq2!mZ7pepper"

entries = []


def add(maker, password, text, strength, **more):
    entries.append({"maker": maker, "password": password, "hash": text, "strength": strength, **more})


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def php(code, *arguments):
    return output("php", "-n", "-r", f"echo {code};", "--", *arguments)


def old_werkzeug(password, method):
    code = "import sys; from werkzeug.security import generate_password_hash as make; print(make(sys.argv[1], sys.argv[2]))"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, password, method], env={**os.environ, "PYTHONPATH": sys.argv[1]}, check=True,
        capture_output=True, text=True).stdout.strip()


def b64(data):
    return base64.b64encode(data).decode()


def keycloak(password, algorithm, name, iterations, length):
    salt = os.urandom(16)
    digest = hashlib.pbkdf2_hmac(name, password.encode(), salt, iterations, length)
    return iterations, algorithm, b64(salt), b64(digest)


def keycloak_json(iterations, algorithm, salt, digest, parameters=None):
    return json.dumps({
        "type": "password", "userLabel": "My password",
        "credentialData": json.dumps({"hashIterations": iterations, "algorithm": algorithm, "additionalParameters": parameters or {}}),
        "secretData": json.dumps({"value": digest, "salt": salt, "additionalParameters": {}}),
    })


def aspnet3(password, prf, name, iterations):
    salt = os.urandom(16)
    numbers = b"".join(number.to_bytes(4, "big") for number in (prf, iterations, 16))
    return b64(b"\x01" + numbers + salt + hashlib.pbkdf2_hmac(name, password.encode(), salt, iterations, 32))


def aspnet2(password):
    salt = os.urandom(16)
    return b64(b"\x00" + salt + hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 1000, 32))


def argon2_of_keycloak(password):
    salt = os.urandom(16)
    digest = argon2.low_level.hash_secret_raw(password.encode(), salt, 5, 7168, 1, 32, argon2.low_level.Type.ID)
    parameters = {"hashLength": ["32"], "memory": ["7168"], "type": ["id"], "version": ["1.3"], "parallelism": ["1"]}
    return keycloak_json(5, "argon2", b64(salt), b64(digest), parameters)


def django_hash(hasher, password):
    return hasher().encode(password, hasher().salt() or "")


def joomla(password, before):
    salt = os.urandom(16).hex()
    mixed = salt + password if before else password + salt
    return f"{hashlib.md5(mixed.encode()).hexdigest()}:{salt}"


def mixed(password):
    return base64.b64encode(hmac.new(PEPPER.encode(), password.encode(), hashlib.sha512).digest()).decode()


class DjangoSHA1(hashers.BasePasswordHasher):
    """Django's hasher until 5.1: a digest of the salt and the password after it."""

    def encode(self, password, salt):
        return f"sha1${salt}${hashlib.sha1((salt + password).encode()).hexdigest()}"


VERSION = {
    "werkzeug": "Werkzeug 0.16.1", "php": "PHP " + php("PHP_VERSION"), "passlib": "passlib 1.7.4",
    "django": f"Django {django.__version__}", "openssl": output("openssl", "version").split(" (")[0],
    "htpasswd": "htpasswd of Apache 2.4", "dovecot": "Dovecot 2.3", "openldap": "slappasswd of OpenLDAP 2.5", "ruby": "bcrypt-ruby 3.1.18",
}

for password in PASSWORDS:
    for method, strength in [
        ("sha256", "weak"), ("sha1", "weak"), ("md5", "weak"), ("sha512", "weak"), ("pbkdf2:sha1:1000", "cheap"), ("pbkdf2:sha256", "strong"),
    ]:
        add(VERSION["werkzeug"], password, old_werkzeug(password, method), strength)
    add(VERSION["django"], password, django_hash(hashers.MD5PasswordHasher, password), "weak")
    add("as Django 1.4 to 5.0", password, django_hash(DjangoSHA1, password), "weak")
    add("as Django 1.3", password, DjangoSHA1().encode(password, "a1b2c"), "weak")
    for algorithm in ("md5", "sha1", "sha256", "sha384", "sha512"):
        add(VERSION["php"], password, php(f'hash("{algorithm}", $argv[1])', password), "weak")
    add(VERSION["php"], password, php('strtoupper(md5($argv[1]))', password), "weak")
    add(VERSION["php"], password, php('password_hash($argv[1], PASSWORD_BCRYPT, ["cost" => 5])', password), "strong")
    add(f"{VERSION['php']} as WordPress 6.8", password, php(
        '"$wp" . password_hash(base64_encode(hash_hmac("sha384", trim($argv[1]), "wp-sha384", true)), PASSWORD_BCRYPT, ["cost" => 5])'.replace('"$wp"', "'$wp'"),
        password), "strong")
    add(VERSION["openssl"], password, output("openssl", "passwd", "-1", password), "cheap")
    add(VERSION["openssl"], password, output("openssl", "passwd", "-apr1", password), "cheap")
    add(VERSION["htpasswd"], password, output("htpasswd", "-nbm", "u", password)[2:], "cheap")
    add(VERSION["htpasswd"], password, output("htpasswd", "-nbs", "u", password)[2:], "weak")
    add(VERSION["htpasswd"], password, output("htpasswd", "-nbB", "u", password)[2:], "strong")
    for scheme, strength in [
        ("SSHA", "weak"), ("SSHA256", "weak"), ("SSHA512", "weak"), ("SHA", "weak"), ("SHA256", "weak"), ("SHA512", "weak"), ("SMD5", "weak"),
        ("PLAIN-MD5", "weak"), ("LDAP-MD5", "weak"), ("SHA256.HEX", "weak"), ("SSHA512.hex", "weak"), ("MD5-CRYPT", "cheap"),
        ("BLF-CRYPT", "strong"), ("SHA512-CRYPT", "strong"), ("SHA256-CRYPT", "strong"), ("ARGON2I", "strong"), ("ARGON2ID", "strong"),
        ("PBKDF2", "cheap"),
    ]:
        add(VERSION["dovecot"], password, output("doveadm", "pw", "-s", scheme, "-p", password), strength)
    yescrypt = output("perl", "-e", "print crypt($ARGV[0], q($y$j75$saltsaltsalt$))", password)
    add("libxcrypt by Perl", password, "{CRYPT}" + yescrypt, "strong")
    for scheme in ("{SSHA}", "{SMD5}", "{SHA}", "{MD5}"):
        add(VERSION["openldap"], password, output("slappasswd", "-h", scheme, "-s", password), "weak")
    add(VERSION["openldap"], password, "{CRYPT}" + passlib.hash.sha512_crypt.using(rounds=5000).hash(password), "strong")
    add(f"{VERSION['openldap']}, userPassword:: of an LDIF", password, b64(output("slappasswd", "-s", password).encode()), "weak")
    for handler, strength in [("ldap_pbkdf2_sha256", "strong"), ("ldap_pbkdf2_sha1", "strong"), ("ldap_pbkdf2_sha512", "strong"),
                              ("atlassian_pbkdf2_sha1", "strong"), ("ldap_salted_sha256", "weak"), ("ldap_bcrypt", "strong")]:
        settings = {"rounds": 5} if handler == "ldap_bcrypt" else {}
        add(VERSION["passlib"], password, getattr(passlib.hash, handler).using(**settings).hash(password), strength)
    add("as ASP.NET Identity 2", password, aspnet2(password), "cheap")
    add("as ASP.NET Identity 3", password, aspnet3(password, 1, "sha256", 10000), "strong")
    add("as ASP.NET Core 7", password, aspnet3(password, 2, "sha512", 100000), "strong")
    for algorithm, name, iterations in [("pbkdf2", "sha1", 20000), ("pbkdf2-sha256", "sha256", 27500), ("pbkdf2-sha512", "sha512", 30000)]:
        iterations, algorithm, salt, digest = keycloak(password, algorithm, name, iterations, 64)
        add("as Keycloak exports it", password, keycloak_json(iterations, algorithm, salt, digest), "strong")
    iterations, algorithm, salt, digest = keycloak(password, "pbkdf2-sha256", "sha256", 27500, 64)
    add("as Keycloak 7 exports it", password, json.dumps({
        "type": "password", "hashedSaltedValue": digest, "salt": salt, "hashIterations": iterations, "algorithm": algorithm}), "strong")
    add("as Keycloak 25 exports it", password, argon2_of_keycloak(password), "strong")
    add("as Joomla 1.5", password, joomla(password, before=False), "weak")
    add("as osCommerce", password, joomla(password, before=True), "weak")
    bcrypt = passlib.hash.bcrypt.using(rounds=5).hash(password)
    add("Flask-Bcrypt, bytes shown by Python", password, f"b'{bcrypt}'", "strong")
    add("Flask-Bcrypt, bytes shown by PostgreSQL", password, "\\x" + bcrypt.encode().hex(), "strong")
    add("as Spring Security", password, "{bcrypt}" + bcrypt, "strong")
    ruby = "require 'bcrypt'; puts BCrypt::Password.create(ARGV[0] + ARGV[1], cost: 5)"
    add(f"{VERSION['ruby']} as Devise", password, output("ruby", "-e", ruby, password, PEPPER), "strong", pepper=PEPPER, construction="suffix")
    add("passlib 1.7.4 as Flask-Security", password, passlib.hash.bcrypt.using(rounds=5).hash(mixed(password)), "strong",
        pepper=PEPPER, construction="hmac-sha512")
    add("passlib 1.7.4 as Flask-Security", password, passlib.hash.pbkdf2_sha512.using(rounds=25000).hash(mixed(password)), "strong",
        pepper=PEPPER, construction="hmac-sha512")
    add(f"{VERSION['php']} with a pepper", password, php('sha1($argv[2] . $argv[1])', password, PEPPER), "weak", pepper=PEPPER, construction="prefix")
    add(f"{VERSION['php']} with a pepper", password, php(
        'password_hash(hash_hmac("sha256", $argv[1], $argv[2]), PASSWORD_BCRYPT, ["cost" => 5])', password, PEPPER), "strong",
        pepper=PEPPER, construction="hmac-sha256-hex")

# The algorithm of Magento's class Encryptor.
MAGENTO = r"""
    $salt = substr(str_pad($argv[2], SODIUM_CRYPTO_PWHASH_SALTBYTES, $argv[2]), 0, SODIUM_CRYPTO_PWHASH_SALTBYTES);
    echo bin2hex(sodium_crypto_pwhash((int) $argv[3], $argv[1], $salt, (int) $argv[4], (int) $argv[5], SODIUM_CRYPTO_PWHASH_ALG_ARGON2ID13));
"""


def magento(password, salt, version, length=32, passes=2, memory=1 << 26):
    if version < 2:
        digest = [hashlib.md5, hashlib.sha256][version]((salt + password).encode()).hexdigest()
        return f"{digest}:{salt}:{version}"
    digest = output("php", "-r", MAGENTO, "--", password, salt, str(length), str(passes), str(memory))
    return f"{digest}:{salt}:" + ("2" if version == 2 else f"3_{length}_{passes}_{memory}")


def scrypt(password, steps, blocks, lanes):
    """The hash in the forms of Werkzeug 3 and Django."""
    salt = "Jm3kD8wq2xRt5vYb"
    key = hashlib.scrypt(password.encode(), salt=salt.encode(), n=steps, r=blocks, p=lanes, dklen=64)
    return f"scrypt:{steps}:{blocks}:{lanes}${salt}${key.hex()}", f"scrypt${steps}${salt}${blocks}${lanes}${b64(key)}"


for password in ("python", "pässwörd"):
    for version, salt in [(0, "xn"), (1, "8qnyO4H1OYIfGCUb8qnyO4H1OYIfGCUb"), (0, "")]:
        add("as Magento 2", password, magento(password, salt, version), "weak")
    for version, salt in [(2, "qL8tnyO4H1OYIfGC"), (3, "8qnyO4H1OYIfGCUb8qnyO4H1OYIfGCUb"), (3, "short")]:
        add(f"{VERSION['php']} as Magento 2", password, magento(password, salt, version), "strong")
    add(f"{VERSION['php']} as Magento 2", password, magento(password, "8qnyO4H1OYIfGCUb", 3, 64, 3, 1 << 23), "strong")
    add("as MySQL", password, "*" + hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest().upper(), "weak")
    for text in scrypt(password, 2, 1, 1):
        add("hashlib as Werkzeug and Django", password, text, "weak")
    for text in scrypt(password, 128, 8, 1):
        add("hashlib as Werkzeug and Django", password, text, "cheap")

# Published hashes: of Spring Security's reference, of hashcat, of the repository firebase/scrypt.
SPRING = [
    ("{bcrypt}$2a$10$dXJ3SW6G7P50lGmMkkmwe.20cQQubK3.HZWzG3YB1tlRy.fqvM/BG", "strong"),
    ("{pbkdf2}5d923b44a6d129f3ddf3e3c8d29412723dcbde72445e8ef6bf3b508fbf17fa4ed4d6b99ca763d8dc", "strong"),
    ("{scrypt}$e0801$8bWJaSu2IKSn9Z9kM+TPXfOc/9bdYSrN1oD9qfVThWEwdRTnO7re7Ei+fUZRJ68k9lTyuTeUp4of4g24hHnazw=="
     "$OAOec05+bXxvuu/1qZ6NUR+xQYvYv7BeL1QxwRpY5Pc=", "strong"),
    ("{sha256}97cde38028ad898ebc02e690819fa220e88c62e0699403e94fff291cfffaf8410849f27605abcbc0", "cheap"),
]
for text, strength in SPRING:
    add("Spring Security, its reference", "password", text, strength)
HASHCAT = [
    ("$S$C33783772bRXEx1aCsvY.dqgaaSu76XmVlKrW9Qu8IQlvxHlmzLf", "strong"), ("$apr1$71850310$gh9m4xcAn3MGxogwX/ztb.", "cheap"),
    ("$1$28772684$iEwNOgGugqO9.bIz5sk8k/", "cheap"), ("{SSHA}AZKja92fbuuB9SpRlHqaoXxbTc43Mzc2MDM1Ng==", "weak"),
    ("{SSHA256}OZiz0cnQ5hgyel3Emh7NCbhBRCQ+HVBwYplQunHYnER7TLuV", "weak"),
    ("{SSHA512}ALtwKGBdRgD+U0fPAy31C28RyKYx7+a8kmfksccsOeLknLHv2DBXYI7TDnTolQMBuPkWDISgZr2cHfnNPFjGZTEyNDU4OTkw", "weak"),
    ("19e0e8d91c722e7091ca7a6a6fb0f4fa:54718031842521651757785603028777", "weak"),
]
for text, strength in HASHCAT:
    add("hashcat, its examples", "hashcat", text, strength)
add("the repository firebase/scrypt, in base64 for URLs", "user1password",
    "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA"
    "$42xEC-ixf3L2lw$lSrfV15cpx95_sZS2W9c9Kp6i_LVgQNDNC_qzrCnh1SAyZvqmZqAjTdn3aoItz-VHjoZilo78198JAdRuid5lQ", "strong")

print("[\n" + ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries) + "\n]")

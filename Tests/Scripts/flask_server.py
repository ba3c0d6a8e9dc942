"""The server that users move away from: the original Flask server's contract, with Flask, SQLite
and HS256.

    flask_server.py serve FILE PORT SECRET [--tokens FORM] [--hashes AGE]
    flask_server.py fill FILE USERS [--once]     writes users with hashes of all ages into the table
    flask_server.py tokens                       makes a token for each line FORM ID SECONDS SECRET

The form of tokens is "pyjwt" or "itsdangerous". The age of hashes is a key of AGES, which has the
hashes that the article and its followers used over the years. The lines for tokens come from
standard input.
"""

import argparse
import importlib.util
import pathlib
import sqlite3
import sys
import time
import warnings

import bcrypt
import jwt
from flask import Flask, abort, g, jsonify, request, url_for
from passlib.hash import sha256_crypt
from werkzeug.security import check_password_hash, generate_password_hash



def itsdangerous_of_then():
    """Loads the last version that made tokens, beside the one that Flask has loaded."""
    place = pathlib.Path(sys.prefix) / "itsdangerous-2.0" / "itsdangerous" / "__init__.py"
    name = "itsdangerous_of_then"
    spec = importlib.util.spec_from_file_location(name, place, submodule_search_locations=[str(place.parent)])
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


warnings.simplefilter("ignore", DeprecationWarning)
itsdangerous = itsdangerous_of_then()

AGES = {
    "sha256_crypt": (lambda password: sha256_crypt.hash(password), lambda password: sha256_crypt.hash(password, rounds=1000)),
    "pbkdf2": (
        lambda password: generate_password_hash(password, "pbkdf2:sha256"),
        lambda password: generate_password_hash(password, "pbkdf2:sha256:1000"),
    ),
    "scrypt": (
        lambda password: generate_password_hash(password, "scrypt"),
        lambda password: generate_password_hash(password, "scrypt:1024:8:1"),
    ),
    "bcrypt": (
        lambda password: bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode(),
        lambda password: bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode(),
    ),
}
DURATION = 600
SCHEMA = "CREATE TABLE IF NOT EXISTS users (id INTEGER NOT NULL PRIMARY KEY, username VARCHAR(32), password_hash VARCHAR(64))"


def is_password(password, stored):
    if stored.startswith("$5$"):
        return sha256_crypt.verify(password, stored)
    if stored.startswith("$2"):
        return bcrypt.checkpw(password.encode(), stored.encode())
    return check_password_hash(stored, password)


def make_token(form, secret, id, seconds):
    if form == "pyjwt":
        return jwt.encode({"id": id, "exp": time.time() + seconds}, secret, algorithm="HS256")
    return itsdangerous.TimedJSONWebSignatureSerializer(secret, expires_in=seconds).dumps({"id": id}).decode()


def token_id(form, secret, token):
    try:
        if form == "pyjwt":
            return jwt.decode(token, secret, algorithms=["HS256"])["id"]
        return itsdangerous.TimedJSONWebSignatureSerializer(secret).loads(token)["id"]
    except (jwt.InvalidTokenError, itsdangerous.BadSignature):
        return None


def make_app(options):
    app = Flask(__name__)

    def database():
        if "database" not in g:
            g.database = sqlite3.connect(options.file)
        return g.database

    @app.teardown_appcontext
    def close(_):
        if "database" in g:
            g.pop("database").close()

    def user_where(column, value):
        return database().execute(f"SELECT id, username, password_hash FROM users WHERE {column} = ?", (value,)).fetchone()

    def signed_in():
        given = request.authorization
        if given is not None and given.type == "basic":
            id = token_id(options.tokens, options.secret, given.username)
            if id is not None:
                user = user_where("id", id)
                if user:
                    return user
            user = user_where("username", given.username)
            if user and is_password(given.password, user[2]):
                return user
        response = jsonify(error="Unauthorized Access")
        response.status_code = 401
        response.headers["WWW-Authenticate"] = 'Basic realm="Authentication Required"'
        abort(response)

    @app.post("/api/users")
    def register():
        body = request.get_json()
        username, password = body.get("username"), body.get("password")
        if username is None or password is None or user_where("username", username):
            abort(400)
        cursor = database().execute(
            "INSERT INTO users (username, password_hash) VALUES (?, ?)", (username, AGES[options.hashes][0](password))
        )
        database().commit()
        return jsonify(username=username), 201, {"Location": url_for("show", id=cursor.lastrowid, _external=True)}

    @app.get("/api/users/<int:id>")
    def show(id):
        user = user_where("id", id)
        if not user:
            abort(400)
        return jsonify(username=user[1])

    @app.get("/api/token")
    def token():
        return jsonify(
            token=make_token(options.tokens, options.secret, signed_in()[0], DURATION), duration=DURATION
        )

    @app.get("/api/resource")
    def resource():
        return jsonify(data=f"Hello, {signed_in()[1]}!")

    return app


def fill(options):
    """Stores users. Most hashes are cheap, so that many can be checked; in a hundred users, one of
    each age has the original cost.
    """
    ages = list(AGES.values())
    # Hashes at full cost: the import would wrap cheap ones, one by one.
    made = [age[0]("python") for age in ages]

    def stored(number):
        full, little = ages[number % len(ages)]
        if options.once:
            return made[number % len(ages)]
        return (full if number % 100 < len(ages) else little)(f"password-{number}")

    with sqlite3.connect(options.file) as database:
        database.execute(SCHEMA)
        database.executemany(
            "INSERT INTO users (username, password_hash) VALUES (?, ?)",
            ((f"user-{number}", stored(number)) for number in range(1, options.users + 1)),
        )


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve")
    serve.add_argument("file")
    serve.add_argument("port", type=int)
    serve.add_argument("secret")
    serve.add_argument("--hashes", choices=AGES, default="sha256_crypt")
    filling = commands.add_parser("fill")
    filling.add_argument("file")
    filling.add_argument("users", type=int)
    filling.add_argument("--once", action="store_true")
    serve.add_argument("--tokens", choices=["pyjwt", "itsdangerous"], default="pyjwt")
    commands.add_parser("tokens")
    options = parser.parse_args()
    if options.command == "fill":
        fill(options)
    elif options.command == "tokens":
        for line in sys.stdin:
            form, id, seconds, secret = line.rstrip("\n").split(" ", 3)
            print(make_token(form, secret, int(id), int(seconds)), flush=True)
    else:
        with sqlite3.connect(options.file) as database:
            database.execute(SCHEMA)
        make_app(options).run(port=options.port, threaded=True)


if __name__ == "__main__":
    main()

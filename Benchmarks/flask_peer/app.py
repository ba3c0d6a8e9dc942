"""The peer in Python: the contract of rest-auth as one would write it today with Flask,
Flask-HTTPAuth and Flask-SQLAlchemy. Passwords are hashed by Werkzeug at its default cost, tokens
are HS256, users live in SQLite.

Run by gunicorn with --preload: the table is made once, before the workers fork. DATABASE_URL names
the database.
"""

import os
import secrets
import time

import jwt
from flask import Flask, abort, jsonify, request, url_for
from flask_httpauth import HTTPBasicAuth
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import IntegrityError
from werkzeug.security import check_password_hash, generate_password_hash

TOKEN_SECONDS = 600

app = Flask(__name__)
app.config["SECRET_KEY"] = secrets.token_hex(32)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
db = SQLAlchemy(app)
auth = HTTPBasicAuth()


class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    username = db.Column(db.String(64), unique=True, nullable=False)
    password_hash = db.Column(db.String(255), nullable=False)

    def make_token(self):
        claims = {"id": self.id, "exp": time.time() + TOKEN_SECONDS}
        return jwt.encode(claims, app.config["SECRET_KEY"], algorithm="HS256")

    @staticmethod
    def from_token(token):
        try:
            claims = jwt.decode(token, app.config["SECRET_KEY"], algorithms=["HS256"])
        except jwt.InvalidTokenError:
            return None
        return db.session.get(User, claims["id"])


with app.app_context():
    db.create_all()
    db.engine.dispose()  # a connection to SQLite must not live on across a fork


@auth.verify_password
def verify_password(username_or_token, password):
    user = User.from_token(username_or_token)
    if user:
        return user
    user = db.session.scalar(db.select(User).filter_by(username=username_or_token))
    return user if user and check_password_hash(user.password_hash, password) else None


@app.post("/api/users")
def register():
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        abort(400)
    username, password = body.get("username"), body.get("password")
    if not all(isinstance(field, str) and field for field in (username, password)):
        abort(400)
    user = User(username=username, password_hash=generate_password_hash(password))
    db.session.add(user)
    try:
        db.session.commit()
    except IntegrityError:
        abort(400)
    return jsonify(username=user.username), 201, {"Location": url_for("show", id=user.id, _external=True)}


@app.get("/api/users/<int:id>")
def show(id):
    user = db.session.get(User, id)
    if not user:
        abort(400)
    return jsonify(username=user.username)


@app.get("/api/token")
@auth.login_required
def token():
    return jsonify(token=auth.current_user().make_token(), duration=TOKEN_SECONDS)


@app.get("/api/resource")
@auth.login_required
def resource():
    return jsonify(data=f"Hello, {auth.current_user().username}!")

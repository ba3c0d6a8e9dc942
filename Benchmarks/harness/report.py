"""The figures as a Markdown table that is also readable in a terminal."""

HEADINGS = ("Measured", "Unit", "rest-auth", "Peer", "Peer's", "Ratio", "Target", "Met")


def table(figures):
    rows = [HEADINGS] + [_cells(figure) for figure in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def document(figures, description, effort):
    return f"""# What rest-auth costs, and how fast it is

Written by `make bench`. {description}.

Each figure is the median of {effort.rounds} rounds of {effort.seconds} s in which rest-auth and its peers took turns. \
The ratio is rest-auth's figure divided by the peer's, round by round, and again the median. On one core means that \
the server had one core and the load generator another; on two cores they shared both. rest-auth ran with its \
defaults, logs included, but where users are registered without the limit on registrations from one network; the peers \
are in this directory.

{table(figures)}

- *Bare Hummingbird* answers the bytes of the token route from memory, *nginx* does so with `return 200`: neither \
checks anything.
- *Flask* is the same contract in Flask, Flask-HTTPAuth and Flask-SQLAlchemy under gunicorn with a worker for each \
core it was given. Its hash is Werkzeug's scrypt, so its logins say what replacing it changes, not which code is better.
- *Argon2id loop* does nothing but verify such a hash, with one thread for each core.
- *A personal token seen before* and *an access token* are both the user name of HTTP Basic, and both are answered \
from memory.
- *Sessions ended*: the revocation log has that many live lines, all loaded; *none ended* is the same server without.
- *Behind nginx auth_request*: nginx asks `GET /api/verify` with the client's token, over connections that it keeps, \
before it answers with a picture of 43 bytes. *nginx alone* answers without asking; *verify asked directly* is \
rest-auth without nginx.
- *Refreshes*: eight connections, each with a session of its own, present the token of the answer before. *Bare SQLite \
commits* is a loop in Python, one thread, that updates one row by its key in each transaction (write-ahead log, \
`synchronous = FULL`, on the same disk): its p99 is of one commit, that of a refresh includes the wait for the commit \
before.
- The storms: requests with a token leave at a steady rate whatever the answers do, and count from the moment they \
were due, while eight clients do without a pause what makes the storm. The slowest answer is that of all rounds \
together.
- In a *login storm* they sign in as 1,000 users at random: half from the network where the user has signed in before, \
half from one where nobody has, and of these one in four with a wrong password. In a *storm of guesses* all passwords \
are wrong and come from one network, so nearly all are refused (429) and cost no hash.
- *Sign-ins with guesses counted*: all passwords are right, and from where the user has signed in before. *Throttle \
off* is the same server with `--throttle no`. *Guesses refused* are answers 429 to eight clients, less the few guesses \
that are tried.
- *Users imported*: `rest-auth users import --jsonl` of 200,000 users with hashes of five forms, into a database that \
it has to make, from the start of the command to its end. *Bare SQLite inserts* is a loop in Python, one thread, that \
stores the same rows from memory in one transaction (`synchronous = FULL`), in tables that are there; *psql's copy* is \
`\\copy` of a file with the same rows. Neither checks anything.
- *Less the hash* is the processor time of all threads of the server but those that hash.
- *With PostgreSQL*: one server for the whole run of a chapter, made for it, on the same disk and on both cores, over \
a socket, with its default settings (`fsync` and `synchronous_commit` are on) but for the number of connections. *With \
SQLite* is the same binary over a file. Whoever signs in there is one of 1,000 users, at random.
- *pgbench* runs the select of such a read by a random id, prepared, with 8 and with 16 clients on two threads, and \
the better of the two counts. Ours is the storage of rest-auth, called from 64 tasks, one connection.
- *Bare libpq* is a loop in Swift that does what a refresh does in the database, a select and an update by key, \
prepared, each of four threads on a connection of its own: as many as a node has that write.
- *Database transactions for a token seen before* are what PostgreSQL counts while the load runs, less what it counts \
in the same time without: nodes read the revocation log and the keys on a timer.
- *Two nodes, one core each*: the load and the database share those two cores with them. *One node* has one of the \
cores and gets all of the same load. What two would do on machines of their own it does not say.
- *Until the other node refuses*: from the acknowledgement of a sign-out at one node to the first refusal at the \
other, which is asked without a pause; the 40 trials of each round count together. *Same node* is asked where the \
session was ended.
- *Less the hash with PostgreSQL* adds the processor time of the database.
- *Database's processor time* is that of all its processes, of an idle node that of its connections. *On disk* is with \
the indexes, of 100,000 rows just filled in; a session has the address and the user agent of a browser.
- *The operator's list with q* is a page of 25 users whose names begin with one letter. *Nobody matches*: the 1,000 \
entries that a page may examine are examined, and nobody is shown.
- Memory is that of the largest process; MB is 10⁶ bytes.

![Some of the figures as bars](results.svg)
"""


def number(value):
    """Three significant digits, thousands grouped: more would claim a precision that no run
    repeats."""
    if value >= 100:
        return f"{value:,.0f}"
    if 0 < value < 0.1:
        return f"{value:.2g}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _cells(figure):
    target, met = ("", "") if figure.target is None else (figure.target.text, "no" if figure.is_missed else "yes")
    theirs, ratio = (number(figure.theirs), number(figure.ratio)) if figure.peer else ("", "")
    return (figure.subject, figure.unit, number(figure.ours), figure.peer, theirs, ratio, target, met)

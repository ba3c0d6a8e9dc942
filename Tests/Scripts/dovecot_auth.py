"""A mail client's sign-in at Dovecot: asks its authentication service, as its IMAP server and
Postfix do, whether a token signs a user in.

    dovecot_auth.py SOCKET MECHANISM USER TOKEN

prints OK or FAIL.
"""

import base64
import socket
import sys

path, mechanism, user, token = sys.argv[1:]
first_answers = {
    "PLAIN": f"\0{user}\0{token}",
    "OAUTHBEARER": f"n,a={user},\1host=localhost\1port=143\1auth=Bearer {token}\1\1",
    "XOAUTH2": f"user={user}\1auth=Bearer {token}\1\1",
}
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(60)
connection.connect(path)
lines = connection.makefile("rw", newline="\n")


def send(text):
    lines.write(text)
    lines.flush()


send("VERSION\t1\t2\nCPID\t4242\n")
while not (line := lines.readline()).startswith("DONE"):
    if not line:
        sys.exit("Dovecot hung up")
answer = base64.b64encode(first_answers[mechanism].encode()).decode()
send(f"AUTH\t1\t{mechanism}\tservice=imap\tsecured\tresp={answer}\n")
verdict = lines.readline()
if verdict.startswith("CONT"):  # the reason; it fails after an empty answer
    send("CONT\t1\t\n")
    verdict = lines.readline()
print(verdict.split("\t")[0])

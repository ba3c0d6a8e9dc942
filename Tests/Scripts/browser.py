"""Chromium without a window, with authenticators that Chromium emulates: over the DevTools protocol.

    browser.py DIRECTORY URL PORT

serves the files of the directory at http://localhost:PORT, and hands on to the server at URL whatever is
asked below /api, as a proxy before both does. Writes the origin as the first line. Then it reads
requests as lines of JSON, and writes a line for each:

    {"authenticator": {options of WebAuthn.addVirtualAuthenticator}}    -> its id
    {"call": "a method of WebAuthn", "with": {its parameters}}          -> its result
    {"open": "/page.html"}                                              -> null
    {"run": "an expression, which may be a promise"}                    -> {"value": ...} or {"error": "..."}
"""

import fcntl
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request

directory, server, port = sys.argv[1:]


class Pages(http.server.SimpleHTTPRequestHandler):
    extensions_map = {".html": "text/html; charset=utf-8", ".mjs": "text/javascript"}

    def __init__(self, *arguments):
        super().__init__(*arguments, directory=directory)

    def handle_request(self):
        if not self.path.startswith("/api/"):
            return super().do_GET()
        length = int(self.headers.get("Content-Length", 0))
        fields = {name: value for name, value in self.headers.items() if name.lower() not in ("connection",)}
        request = urllib.request.Request(
            server + self.path, self.rfile.read(length) if length else None, fields, method=self.command
        )
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as refusal:
            answer = refusal
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("content-length", "connection", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request

    def log_message(self, *arguments):
        pass


class Chromium:
    """One page. The protocol goes through two pipes, each message ended by a zero byte."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(dir=os.getcwd())
        (commands, self.commands), (self.answers, answers) = os.pipe(), os.pipe()

        def place():
            # Out of the way of the numbers that Chromium expects.
            ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (commands, answers)]
            for number, end in zip((3, 4), ends):
                os.dup2(end, number)

        self.process = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
            + ["--remote-debugging-pipe", f"--user-data-dir={self.profile}", "about:blank"],
            preexec_fn=place,
            close_fds=False,
            env={**os.environ, "HOME": self.profile},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self.count, self.rest, self.session = 0, b"", None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Runtime.enable")
        self.call("WebAuthn.enable")

    def message(self):
        while b"\0" not in self.rest:
            piece = os.read(self.answers, 65536)
            if not piece:
                raise RuntimeError("Chromium ended")
            self.rest += piece
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def messages(self, is_last):
        while not is_last(message := self.message()):
            pass
        return message

    def call(self, method, **parameters):
        self.count += 1
        number = self.count
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        answer = self.messages(lambda message: message.get("id") == number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.messages(lambda message: message.get("method") == "Page.loadEventFired")

    def run(self, expression):
        result = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" not in result:
            return {"value": result["result"].get("value")}
        thrown = result["exceptionDetails"].get("exception", {})
        return {"error": thrown.get("description") or json.dumps(thrown.get("value"))}

    def end(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)


def answer(request):
    match request:
        case {"authenticator": options}:
            return chromium.call("WebAuthn.addVirtualAuthenticator", options=options)["authenticatorId"]
        case {"call": method, "with": parameters}:
            return chromium.call("WebAuthn." + method, **parameters)
        case {"open": path}:
            return chromium.open(origin + path)
        case {"run": expression}:
            return chromium.run(expression)


pages = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Pages)
threading.Thread(target=pages.serve_forever, daemon=True).start()
origin = f"http://localhost:{port}"
chromium = Chromium()
try:
    print(json.dumps(origin), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
finally:
    chromium.end()

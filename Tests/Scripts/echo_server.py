"""An application behind a proxy: answers every request with that request, as JSON.

echo_server.py PORT NAME also prints the answer, a line for each request. The status is 200, or that
of the request's field NAME-Status; 503 comes with Retry-After.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# print writes a line in two parts, and requests are concurrent.
printing = threading.Lock()


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def read_body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self):
        text = json.dumps(
            {
                "method": self.command,
                "path": self.path,
                # http.server decodes fields as Latin-1; the tests send UTF-8.
                "headers": [[name.lower(), value.encode("latin-1").decode()] for name, value in self.headers.items()],
                "body": self.read_body().decode(),
            }
        )
        with printing:
            print(text, flush=True)
        status = int(self.headers.get(f"{sys.argv[2]}-Status", 200))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if status == 503:
            self.send_header("Retry-After", "7")
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()

"""An application behind a proxy: answers every request with what came of it, as JSON.

echo_server.py PORT [STATUS] also prints it, a line for each request. The status is 200 unless another is given; 503 asks to try again.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    status = int(sys.argv[2]) if len(sys.argv) > 2 else 200

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
                # The bytes of a field are Latin-1 to http.server, and UTF-8 to everyone here.
                "headers": [[name.lower(), value.encode("latin-1").decode()] for name, value in self.headers.items()],
                "body": self.read_body().decode(),
            }
        )
        print(text, flush=True)
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if self.status == 503:
            self.send_header("Retry-After", "7")
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()

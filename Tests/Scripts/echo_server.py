"""An application behind a proxy: answers every request with what came of it, as JSON.

echo_server.py PORT [STATUS] prints a line for each request as well. The status is 200 unless another is given.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    status = int(sys.argv[2]) if len(sys.argv) > 2 else 200

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        text = json.dumps(
            {
                "method": self.command,
                "path": self.path,
                # The bytes of a field are Latin-1 to http.server, and UTF-8 to everyone here.
                "headers": [[name.lower(), value.encode("latin-1").decode()] for name, value in self.headers.items()],
                "body": body.decode(),
            }
        )
        print(text, flush=True)
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()

"""A program with checks: an HTTP server on PORT whose answers depend on files in the directory of its argument.

`/ready` is 200 when `ready` exists, `/alive` when `sick` does not; otherwise they are 503. It needs nothing but the
standard library, so that a unit can start it with any interpreter.
"""

import http.server
import os
import sys
from pathlib import Path


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers a check."""

    directory = Path()

    def do_GET(self) -> None:
        good = (self.directory / "ready").exists() if self.path == "/ready" else not (self.directory / "sick").exists()
        self.send_response(200 if good else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    Answers.directory = Path(sys.argv[1])
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answers).serve_forever()

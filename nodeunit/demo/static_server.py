"""An HTTP server of files in memory, on a free port of the loopback address: enough to be a package registry."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar
from urllib.parse import unquote, urlsplit

LONGEST_SILENCE_S = 10.0


class StaticServer:
    """Serves what `put` has given it, until the block of `static_server` ends."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        """Without a slash at its end."""
        self.requests: list[str] = []
        """The paths that were asked for, in order, decoded."""
        self._files: dict[str, tuple[str, bytes]] = {}

    def put(self, path: str, content: bytes, kind: str = "application/octet-stream") -> None:
        """Serves `content` at `path`, which begins with a slash and is not encoded; `kind` is its Content-Type."""
        self._files[path] = (kind, content)

    def remove(self, path: str) -> None:
        """Answers 404 there from now on."""
        self._files.pop(path, None)

    def _answer(self, target: str) -> tuple[str, bytes] | None:
        path = unquote(urlsplit(target).path)
        self.requests.append(path)
        return self._files.get(path)


@contextmanager
def static_server() -> Iterator[StaticServer]:
    """Runs it in threads of its own, which end with the block or with the process."""

    class Handler(BaseHTTPRequestHandler):
        files: ClassVar[StaticServer]
        protocol_version = "HTTP/1.1"
        timeout = LONGEST_SILENCE_S

        def do_GET(self) -> None:
            found = self.files._answer(self.path)
            kind, content = found or ("text/plain", b"not found\n")
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            """Says nothing: the person watches the fleet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """A client that goes away is no matter."""

    with Server(("127.0.0.1", 0), Handler) as server:
        Handler.files = StaticServer(server.server_address[1])
        serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serving.start()
        try:
            yield Handler.files
        finally:
            server.shutdown()
            serving.join()

"""The program of the demo's deployments: a small real HTTP server that says which deployment it is.

Run as a file, by `python -I -S`. It imports only what a socket needs and writes HTTP by hand, because many copies must
be up within a moment: importing `http.server` alone takes longer than everything else.
"""

import os
import signal
import socket
import sys

LONGEST_REQUEST = 8192


def main() -> None:
    """Serves until SIGTERM, which ends it with exit code 0."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    body = f"{os.environ['DEPLOYMENT_ID']} {os.environ['NODEUNIT_CLAIM_VERSION']}\n".encode()
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        # The log tells others the port, which the kernel chose.
        print(f"listening on http://127.0.0.1:{server.getsockname()[1]}/", flush=True)  # noqa: T201
        while True:
            connection, _ = server.accept()
            with connection:
                try:
                    connection.settimeout(2)
                    answer(connection, body)
                except OSError:
                    pass  # the client is gone, or sent nothing


def answer(connection: socket.socket, body: bytes) -> None:
    """One request, one response, as HTTP/1.0 has it."""
    request = b""
    while b"\r\n\r\n" not in request and len(request) < LONGEST_REQUEST:
        part = connection.recv(4096)
        if not part:
            return
        request += part
    found = request.startswith((b"GET / ", b"HEAD / "))
    status, content = (b"200 OK", body) if found else (b"404 Not Found", b"")
    connection.sendall(
        b"HTTP/1.0 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % (status, len(content))
        + (b"" if request.startswith(b"HEAD ") else content)
    )


if __name__ == "__main__":
    main()

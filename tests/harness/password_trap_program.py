"""A server that asks every client for its password in clear text, and records what it gets.

Run by `password_trap.py` as a process of its own. It refuses encryption, as a server without a
certificate does, and rejects every login.
"""

import argparse
import socketserver
import struct
from pathlib import Path

REQUEST_ENCRYPTION = (80877103, 80877104)  # SSLRequest and GSSENCRequest (pqcomm.h).
ASK_CLEAR_TEXT = b"R" + struct.pack("!ii", 8, 3)  # AuthenticationCleartextPassword.
REFUSED = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0\0"
LIMIT_BYTES = 10_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--book", required=True, type=Path)
    options = parser.parse_args()

    class Conversation(socketserver.StreamRequestHandler):
        timeout = 20

        def handle(self) -> None:
            user = self._startup()
            note(options.book, f"{user} came")
            self.wfile.write(ASK_CLEAR_TEXT)
            if self.rfile.read(1) == b"p":
                password = self._body().rstrip(b"\0").decode()
                note(options.book, f"{user} PASSWORD {password}")
                self.wfile.write(b"E" + struct.pack("!i", 4 + len(REFUSED)) + REFUSED)

        def _startup(self) -> str:
            while True:
                body = self._body()
                (code,) = struct.unpack("!i", body[:4])
                if code not in REQUEST_ENCRYPTION:
                    words = body[4:].split(b"\0")
                    return words[words.index(b"user") + 1].decode()
                self.wfile.write(b"N")

        def _body(self) -> bytes:
            (length,) = struct.unpack("!i", self.rfile.read(4))
            return self.rfile.read(min(length - 4, LIMIT_BYTES))

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("", options.port), Conversation) as server:
        note(options.book, "ready")
        server.serve_forever()


def note(book: Path, line: str) -> None:
    with book.open("a") as file:
        file.write(f"{line}\n")


if __name__ == "__main__":
    main()

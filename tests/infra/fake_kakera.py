"""A stand-in for the `kakera` command: formats, serves health and unsigned PUT and GET from memory and one folder.

Its temper is set by a file `temper` in the state folder: ready (also when absent), read-only, starting, dies, stubborn.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

settings = tomllib.loads(Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
state = Path(settings["server"]["state_dir"])
temper_file = state / "temper"


def temper() -> str:
    return temper_file.read_text().strip() if temper_file.exists() else "ready"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path == "/health/ready":
            mood = temper()
            if mood in ("read-only", "starting"):
                self.answer(503, b'{"status": "%s", "reason": "2 of 6 drives are away"}' % mood.encode())
            else:
                self.answer(200, b'{"status": "ready"}')
            return
        path = state / self.path.strip("/").replace("/", "_")
        if path.is_file():
            self.answer(200, path.read_bytes())
        else:
            self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path.count("/") > 1:
            if temper() == "read-only":
                self.answer(503)
                return
            path = state / self.path.strip("/").replace("/", "_")
            path.write_bytes(body if temper() != "liar" else body[:-1] + b"?")
        self.answer(200)

    def log_message(self, format: str, *args: object) -> None:
        print(format % args, flush=True)


def main() -> int:
    if sys.argv[1:3] == ["admin", "format"]:
        if temper() == "foreign":
            print("drive-2 belongs to another cluster", file=sys.stderr)
            return 1
        (state / "formatted").touch()
        return 0
    assert sys.argv[1] == "serve"
    if temper() == "dies":
        print("cannot go on: a reason", flush=True)
        return 7
    with open(state / "starts", "a") as file:
        file.write("start\n")
    if temper() == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # A worker of its own, as the real one has: nothing of a session may be left behind.
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
    worker = subprocess.Popen([sys.executable, "-c", deaf])
    (state / "worker.pid").write_text(str(worker.pid))
    host, _, port = settings["server"]["listen"].rpartition(":")
    try:
        ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
    finally:
        worker.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A model hub on this machine alone, whose connections end in the middle of a file for as long as it is told so."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MODEL, REVISION = "pinbox/tiny", "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Serves the checkpoint of random weights that a store holds.

    Attributes:
        address: for HF_ENDPOINT.
        breaks: "cut" ends each connection in the middle of the weights, "hang" sends no more; None sends all.
        asked: for the weights so far.
    """

    def __init__(self, store: Path, breaks: str) -> None:
        self._files = _checkpoint(store)
        self.breaks: str | None = breaks
        self.asked = 0
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{server.server_port}"

    def names(self) -> list[str]:
        return sorted(path.name for path in self._files.iterdir())

    def read(self, name: str) -> bytes:
        return (self._files / name).read_bytes()


def _checkpoint(store: Path) -> Path:
    for path in store.glob("recipes/*.json"):
        record = json.loads(path.read_text())
        if record["recipe"].get("step") == "random-weights":
            return store / "contents" / record["content"]
    raise FileNotFoundError(f"{store} has no random weights")


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def log_message(self, *arguments: Any) -> None:
            pass

        def _answer(self, with_body: bool) -> None:
            path = self.path.partition("?")[0]
            name = path.rpartition("/")[2]
            if path.startswith(f"/api/models/{MODEL}/tree/"):
                files = [
                    {"type": "file", "path": name, "size": len(hub.read(name)), "oid": f"{len(hub.read(name)):040x}"}
                    for name in hub.names()
                ]
                self._send(json.dumps(files).encode(), "application/json", with_body)
            elif path.startswith("/api/models/"):
                siblings = [{"rfilename": name} for name in hub.names()]
                body = json.dumps({"id": MODEL, "sha": REVISION, "siblings": siblings}).encode()
                self._send(body, "application/json", with_body)
            elif path.startswith(f"/{MODEL}/resolve/{REVISION}/") and name in hub.names():
                self._send(hub.read(name), "application/octet-stream", with_body, weights=name == "model.safetensors")
            else:
                self.send_error(404)

        def _send(self, body: bytes, kind: str, with_body: bool, weights: bool = False) -> None:
            first = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0] or 0)
            self.send_response(206 if first else 200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body) - first))
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
            self.send_header("ETag", f'"{len(body)}"')
            self.send_header("X-Repo-Commit", REVISION)
            self.end_headers()
            if not with_body:
                return
            half = weights and hub.breaks
            self.wfile.write(body[first : len(body) // 2] if half else body[first:])
            self.wfile.flush()
            hub.asked += weights
            if half == "hang":
                threading.Event().wait()
            self.close_connection = self.close_connection or bool(half)

    return Handler

"""A storage server on loopback that fails on demand.

A folder over HTTP, or as a bucket of Google Cloud Storage, or a proxy before a server of S3 or of a hub.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

Fault = Literal["503", "404", "cut", "short", "flip", "slow"]
"""An error status; a connection that ends in the middle of the body; a body that is too short and
says so; one wrong bit; an answer that comes after ``slow_seconds``."""

_JSON = "application/json"
_Answer = tuple[int, dict[str, str], bytes]


class FaultyStorage:
    """Serves files under ``url`` until ``close``.

    ``fault`` is asked for every read of a shard's bytes, with the file's name and the number of
    the read, counted from 0 over all files.
    """

    def __init__(
        self, folder: Path | None = None, *, bucket: str = "", upstream: tuple[str, int] | None = None
    ) -> None:
        self.fault: Callable[[str, int], Fault | None] = lambda name, read: None
        self.slow_seconds = 5.0
        self.reads: list[str] = []
        self.bytes_sent = 0
        self._lock = threading.Lock()
        storage = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, format: str, *arguments: object) -> None:
                pass

            def do_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if upstream is not None:
                    status, headers, data = _forward(upstream, self, body)
                elif bucket:
                    assert folder is not None
                    status, headers, data = _from_bucket(folder, bucket, self)
                else:
                    assert folder is not None
                    status, headers, data = _from_folder(folder / self.path.lstrip("/"), self)
                storage.send(self, status, headers, data)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_any  # noqa: N815

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # Clients that give up or are killed are what the tests are about.
        self._server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
        self.address = ("127.0.0.1", self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def send(
        self, request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], data: bytes
    ) -> None:
        """Answer a request, with a fault if it reads a shard."""
        fault: Fault | None = None
        name = unquote(urlsplit(request.path).path).rsplit("/", 1)[-1]
        is_described = headers.get("Content-Type") == _JSON
        if request.command == "GET" and name.endswith(".arrow") and data and not is_described:
            with self._lock:
                fault = self.fault(name, len(self.reads))
                self.reads.append(name)
        if fault in ("503", "404"):
            status, data = int(fault), b""
            headers = {"Content-Type": "text/plain"}
        if fault == "slow":
            time.sleep(self.slow_seconds)
        if fault == "flip":
            data = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 16]) + data[len(data) // 2 + 1 :]
        if fault == "short":
            data = data[: len(data) // 2]
        length = headers.get("Content-Length", "0") if request.command == "HEAD" else str(len(data))
        request.send_response(status)
        for key, value in headers.items():
            if key.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                request.send_header(key, value)
        request.send_header("Content-Length", length)
        request.end_headers()
        if fault == "cut":
            data = data[: len(data) // 2]
            request.close_connection = True
        try:
            if request.command != "HEAD":
                request.wfile.write(data)
        except OSError:
            request.close_connection = True
        with self._lock:
            self.bytes_sent += len(data)


def _forward(upstream: tuple[str, int], request: BaseHTTPRequestHandler, body: bytes) -> _Answer:
    connection = http.client.HTTPConnection(*upstream, timeout=30)
    connection.request(request.command, request.path, body, dict(request.headers.items()))
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), data


def _from_folder(path: Path, request: BaseHTTPRequestHandler) -> _Answer:
    if not path.is_file():
        return 404, {}, b""
    data = path.read_bytes()
    headers = {"Accept-Ranges": "bytes", "Content-Length": str(len(data))}
    wanted = request.headers.get("Range")
    if wanted and request.command == "GET":
        first, last = wanted.removeprefix("bytes=").split("-")
        total = len(data)
        data = data[int(first) : int(last or total - 1) + 1]
        headers["Content-Range"] = f"bytes {first}-{int(first) + len(data) - 1}/{total}"
        return 206, headers, data
    return 200, headers, data


def _from_bucket(folder: Path, bucket: str, request: BaseHTTPRequestHandler) -> _Answer:
    """Answer as the JSON interface of Google Cloud Storage: an object, what describes it, or a list."""
    url = urlsplit(request.path)
    query = parse_qs(url.query)
    place, _, name = url.path.partition(f"/b/{bucket}/o")
    name = unquote(name.lstrip("/"))
    if not place.endswith("/storage/v1"):
        return _described(404, {"error": {"code": 404, "message": "no such bucket"}})
    if name:
        if not (folder / name).is_file():
            return _described(404, {"error": {"code": 404, "message": f"No such object: {name}"}})
        if query.get("alt") == ["media"]:
            return _from_folder(folder / name, request)
        return _described(200, _object(folder, bucket, name))
    prefix = query.get("prefix", [""])[0]
    files = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()]
    below = [name.removeprefix(prefix) for name in files if name.startswith(prefix)]
    items = [_object(folder, bucket, prefix + rest) for rest in below if "/" not in rest]
    prefixes = sorted({f"{prefix}{rest.partition('/')[0]}/" for rest in below if "/" in rest})
    return _described(200, {"kind": "storage#objects", "items": items, "prefixes": prefixes})


def _object(folder: Path, bucket: str, name: str) -> dict[str, str]:
    size = str((folder / name).stat().st_size)
    return {"kind": "storage#object", "name": name, "bucket": bucket, "size": size, "generation": "1"}


def _described(status: int, value: object) -> _Answer:
    data = json.dumps(value).encode()
    return status, {"Content-Type": _JSON, "Content-Length": str(len(data))}, data

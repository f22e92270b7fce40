"""Servers on the loopback interface that stand in for the places where corpora lie.

``FileServer`` serves a folder over HTTP with ranges, and the part of the Hugging Face hub's
interface that listing and reading a dataset repository needs. It can be told to fail.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FileServer:
    """What a running server serves, and what it was asked."""

    root: Path
    url: str = ""
    gated: bool = False
    """Answer every request to the hub's interface as for a gated repository."""
    cut_after_bytes: int = 0
    """Break the next ``cuts_left`` answers off after so many bytes."""
    cuts_left: int = 0
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and range of each request."""

    @property
    def num_bytes_sent(self) -> int:
        """Bytes of all ranges that were asked for."""
        total = 0
        for method, _, ranged in self.requests:
            if method == "GET" and ranged:
                start, stop = ranged.removeprefix("bytes=").split("-")
                total += int(stop) + 1 - int(start)
        return total


@contextmanager
def serving(root: Path) -> Iterator[FileServer]:
    """Serve a folder while the block runs: ``/<path>``, and ``/datasets/<owner>/<name>`` as a hub."""
    state = FileServer(root)

    class Handler(_Handler):
        server_state = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server_state: FileServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        path = unquote(urlsplit(self.path).path)
        self.server_state.requests.append(("POST", path, ""))
        if path.startswith("/api/datasets/") and "/paths-info/" in path:
            if self.headers.get("Content-Type", "").startswith("application/json"):
                wanted = json.loads(body)["paths"]
            else:
                wanted = parse_qs(body.decode())["paths"]
            folder, _ = self._repository(path)
            self._json([_described(folder, folder / one) for one in wanted if (folder / one).exists()])
        else:
            self._empty(404)

    def _answer(self, *, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server_state.requests.append((self.command, path, self.headers.get("Range", "")))
        if path.startswith("/api/datasets/"):
            self._hub(path, parse_qs(urlsplit(self.path).query))
            return
        if path.startswith("/datasets/") and "/resolve/" in path:
            owner, name, _, _, inside = path.removeprefix("/datasets/").split("/", 4)
            path = f"/datasets/{owner}/{name}/{inside}"
        file = self.server_state.root / path.lstrip("/")
        if not file.is_file():
            self._empty(404, error="EntryNotFound" if "/resolve/" in self.path else "")
            return
        self._file(file, with_body=with_body)

    def _file(self, file: Path, *, with_body: bool) -> None:
        data = file.read_bytes()
        start, stop = 0, len(data)
        ranged = self.headers.get("Range", "")
        if ranged:
            first, last = ranged.removeprefix("bytes=").split("-")
            start, stop = int(first), min(len(data), int(last) + 1 if last else len(data))
        self.send_response(206 if ranged else 200)
        if ranged:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        self.send_header("Content-Length", str(stop - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if not with_body:
            return
        body = data[start:stop]
        if self.server_state.cuts_left > 0 and len(body) > self.server_state.cut_after_bytes:
            self.server_state.cuts_left -= 1
            self.wfile.write(body[: self.server_state.cut_after_bytes])
            self.close_connection = True
            return
        self.wfile.write(body)

    def _hub(self, path: str, query: dict[str, list[str]]) -> None:
        folder, rest = self._repository(path)
        if self.server_state.gated:
            self._empty(403, error="GatedRepo")
        elif not folder.is_dir():
            self._empty(404, error="RepoNotFound")
        elif rest[:1] == ["tree"]:
            below = folder / "/".join(rest[2:])
            if not below.is_dir():
                self._empty(404, error="EntryNotFound")
                return
            recursive = query.get("recursive", ["false"])[0].lower() in ("true", "1")
            found = below.rglob("*") if recursive else below.iterdir()
            self._json([_described(folder, one) for one in sorted(found)])
        elif rest in ([], ["revision", "main"], ["revision", COMMIT]):
            repository = "/".join(path.split("/")[3:5])
            files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
            siblings = [{"rfilename": str(file.relative_to(folder))} for file in files]
            self._json({"id": repository, "sha": COMMIT, "private": False, "tags": [], "siblings": siblings})
        else:
            self._empty(404)

    def _repository(self, path: str) -> tuple[Path, list[str]]:
        """Return the folder of a repository and what follows its name in an API path."""
        parts = path.strip("/").split("/")
        return self.server_state.root / "datasets" / parts[2] / parts[3], parts[4:]

    def _json(self, value: object) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _empty(self, status: int, *, error: str = "") -> None:
        self.send_response(status)
        if error:
            self.send_header("X-Error-Code", error)
            self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _described(folder: Path, path: Path) -> dict[str, object]:
    inside = str(path.relative_to(folder))
    oid = hashlib.sha1(inside.encode()).hexdigest()
    if path.is_dir():
        return {"type": "directory", "oid": oid, "size": 0, "path": inside}
    return {"type": "file", "oid": oid, "size": path.stat().st_size, "path": inside}

"""A small GitHub on the loopback interface: git's own smart HTTP server, and the parts of the API that are used.

It checks tokens as GitHub does: an App's JSON Web Token by its public key, an installation's token by who it
was made for. What was asked of it is noted.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOKEN = "github_pat_of_tests"
APP = "Iv23liTests"


class GitHost:
    """Serves bare repositories below `folder` as `<owner>/<name>.git`, from entry to exit."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.tokens = {TOKEN}
        self.public_key: Any = None
        self.statuses: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.hooks: dict[str, list[dict[str, Any]]] = {}
        self.app_secret = ""
        self.failures: list[int] = []
        self.failing: dict[str, int] = {}
        self.garbage = b""
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.git"

    def publish(self, name: str, source: Path) -> None:
        """Make the repository what the one in `source` is, as a push of everything does."""
        bare = self.path(name)
        if not bare.exists():
            self.git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
            for key in ("allowReachableSHA1InWant", "allowFilter"):
                self.git("-C", str(bare), "config", f"uploadpack.{key}", "true")
        self.git("-C", str(source), "push", "--quiet", "--mirror", str(bare))

    def git(self, *arguments: str) -> str:
        environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/nonexistent"}
        done = subprocess.run(
            ["git", *arguments], env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()


class Refused(Exception):
    """An answer other than success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _handler(host: GitHost) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        pass

    Handler.host = host
    return Handler


class _Handler(BaseHTTPRequestHandler):
    host: GitHost
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer_any()

    do_POST = do_PATCH = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer_any(self) -> None:
        path = urlsplit(self.path)
        self.host.asked.append((self.command, self.path))
        body = self._read()
        try:
            failing = [status for name, status in self.host.failing.items() if f"{name}/" in path.path]
            if self.host.failures or failing:
                status = failing[0] if failing else self.host.failures.pop(0)
                self._send(status, {"message": "out of order"})
            elif ".git/" in path.path:
                self._serve_git(path.path, path.query, body)
            else:
                self._serve_api(path.path.removeprefix("/api/v3"), path.query, json.loads(body or b"null"))
        except Refused as error:
            self._send(error.status, {"message": str(error)})

    def _read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, status: int, body: object, kind: str = "application/json", **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        bodiless = status in {204, 304}
        if not bodiless:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if not bodiless:
            self.wfile.write(data)

    # git

    def _serve_git(self, path: str, query: str, body: bytes) -> None:
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        user, _, token = base64.b64decode(given).decode().partition(":") if given else ("", "", "")
        if scheme.lower() != "basic" or user != "x-access-token" or token not in self.host.tokens:
            raise Refused(401, "Bad credentials")
        if not (self.host.folder / path.lstrip("/").split(".git/")[0]).with_suffix(".git").exists():
            raise Refused(404, "Not Found")
        if self.host.garbage and self.command == "POST":
            self._send(200, self.host.garbage, "application/x-git-upload-pack-result")
            return
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.host.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False
        )
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self._send(int(fields.get("Status", "200").split()[0]), answer, fields.get("Content-Type", ""))

    # the API

    def _serve_api(self, path: str, query: str, body: Any) -> None:
        for (method, pattern), serve in ROUTES.items():
            found = re.fullmatch(pattern, path)
            if found and method == self.command:
                serve(
                    self, body, *map(unquote, found.groups()), **({"query": parse_qs(query)} if query else {})
                )
                return
        raise Refused(404, "Not Found")

    def _token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _check_token(self) -> None:
        if self._token() not in self.host.tokens:
            raise Refused(401, "Bad credentials")

    def _check_app(self) -> None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        def decode(text: str) -> bytes:
            return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

        try:
            head, claims, signature = self._token().split(".")
            self.host.public_key.verify(decode(signature), f"{head}.{claims}".encode(), PKCS1v15(), SHA256())
        except (ValueError, AttributeError, InvalidSignature):
            raise Refused(401, "A JSON web token could not be decoded") from None
        told = json.loads(decode(claims))
        if json.loads(decode(head)) != {"alg": "RS256", "typ": "JWT"} or told["iss"] != APP:
            raise Refused(401, "A JSON web token could not be decoded")
        if told["exp"] - told["iat"] > 660:
            raise Refused(401, "'Expiration time' claim ('exp') is too far in the future")

    def _installation(self, _: Any, owner: str) -> None:
        self._check_app()
        self._send(200, {"id": 17, "account": {"login": owner}})

    def _access_token(self, body: Any, _installation: str) -> None:
        self._check_app()
        token = f"ghs_{len(self.host.tokens)}_{'_'.join(body['permissions'])}"
        self.host.tokens.add(token)
        self._send(201, {"token": token, "expires_at": "2999-01-01T00:00:00Z", **body})

    def _app_hook(self, body: Any) -> None:
        self._check_app()
        self.host.app_secret = body["secret"]
        self._send(200, {"secret": "********"})

    def _head(self, _: Any, name: str, branch: str) -> None:
        self._check_token()
        bare = str(self.host.path(name))
        try:
            head = self.host.git("-C", bare, "rev-parse", "--verify", f"refs/heads/{branch}")
        except subprocess.CalledProcessError:
            raise Refused(422, f"No commit found for SHA: heads/{branch}") from None
        if self.headers.get("If-None-Match") == f'"{head}"':
            self._send(304, b"")
        else:
            self._send(200, head.encode(), "application/vnd.github.sha; charset=utf-8", ETag=f'"{head}"')

    def _compare(self, _: Any, name: str, base: str, head: str, query: dict[str, list[str]]) -> None:
        self._check_token()
        assert query == {"per_page": ["1"], "page": ["2"]}
        bare = str(self.host.path(name))
        try:
            common = self.host.git("-C", bare, "merge-base", base, head)
        except subprocess.CalledProcessError:
            raise Refused(404, "Not Found") from None
        names = {(True, True): "identical", (True, False): "ahead", (False, True): "behind"}
        self._send(200, {"status": names.get((common == base, common == head), "diverged")})

    def _status(self, body: Any, name: str, commit: str) -> None:
        self._check_token()
        self.host.statuses.append({"repository": name, "commit": commit, **body})
        self._send(201, body)

    def _hooks(self, _: Any, name: str, query: dict[str, list[str]]) -> None:
        self._check_token()
        page, size = int(query["page"][0]), int(query["per_page"][0])
        self._send(200, self.host.hooks.get(name, [])[(page - 1) * size : page * size])

    def _hook(self, body: Any, name: str, number: str) -> None:
        self._check_token()
        hook = next(hook for hook in self.host.hooks[name] if hook["id"] == int(number))
        hook["config"] |= body
        self._send(200, hook["config"])


NAME = r"/repos/([^/]+/[^/]+)"
ROUTES: dict[tuple[str, str], Callable[..., None]] = {
    ("GET", r"/users/([^/]+)/installation"): _Handler._installation,
    ("POST", r"/app/installations/(\d+)/access_tokens"): _Handler._access_token,
    ("PATCH", r"/app/hook/config"): _Handler._app_hook,
    ("GET", rf"{NAME}/commits/heads/(.+)"): _Handler._head,
    ("GET", rf"{NAME}/compare/([0-9a-f]+)\.\.\.([0-9a-f]+)"): _Handler._compare,
    ("POST", rf"{NAME}/statuses/([0-9a-f]+)"): _Handler._status,
    ("GET", rf"{NAME}/hooks"): _Handler._hooks,
    ("PATCH", rf"{NAME}/hooks/(\d+)/config"): _Handler._hook,
}

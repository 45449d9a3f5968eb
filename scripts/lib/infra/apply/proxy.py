"""Stands before the emulator and decides as IAM does: it refuses a request that the signer's role does not permit.

The emulator could decide itself, but it looks at actions only: for most services it takes every request for one on any
resource.
"""

import http.client
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from actions import Call, requests
from policies import Request, permits

# Headers that are about one connection.
HOP = {"connection", "host", "keep-alive", "transfer-encoding", "content-length"}


@dataclass
class Role:
    """A role with its policies, and what was done with it."""

    name: str
    documents: list[dict[str, Any]]
    asked: int = 0
    used: set[Request] = field(default_factory=set)
    denied: list[str] = field(default_factory=list)

    def ask(self, request: Request) -> bool:
        """Decides on a request, and records it."""
        self.asked += 1
        if permits(self.documents, request):
            self.used.add(request)
            return True
        self.denied.append(str(request))
        return False


class Proxy:
    """Forwards to the emulator at `url`. `roles` has the role of each access key; another key is an operator's."""

    def __init__(self, url: str):
        self.address = urlsplit(url)
        self.roles: dict[str, Role] = {}
        self.unknown: list[str] = []
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"proxy": self}))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Returns the proxy's address."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def refusal(self, call: Call) -> str | None:
        """Returns why a call is refused, if it is."""
        with self.lock:
            try:
                role = self.roles.get(call.signer()[0])
                if role is None:
                    return None
                refused = [str(request) for request in requests(call) if not role.ask(request)]
            except (KeyError, ValueError, IndexError) as error:
                self.unknown.append(f"{call.method} {call.target}: {error!r}")
                return self.unknown[-1]
        return f"{role.name} is not authorized to perform: {', '.join(refused)}" if refused else None

    def forward(self, call: Call) -> tuple[int, list[tuple[str, str]], bytes]:
        """Sends a call to the emulator."""
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=60)
        headers = {name: value for name, value in call.headers.items() if name not in HOP}
        connection.request(call.method, call.target, call.body, headers | {"Host": self.address.netloc})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, response.getheaders(), body


class Handler(BaseHTTPRequestHandler):
    """Serves one connection."""

    proxy: Proxy
    protocol_version = "HTTP/1.1"
    # Otherwise the kernel holds back the body of an answer until its head is acknowledged.
    disable_nagle_algorithm = True

    def handle_one(self) -> None:
        """Serves one request."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        call = Call(self.command, self.path, headers, body)
        if refusal := self.proxy.refusal(call):
            self.answer(403, [("x-amzn-errortype", "AccessDeniedException")], denial(refusal))
        else:
            self.answer(*self.proxy.forward(call))

    def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Sends an answer. One to HEAD has the length of what GET returns."""
        self.send_response(status)
        has_body = self.command != "HEAD"
        for name, value in headers:
            if name.lower() not in HOP | {"date", "server"} or (name.lower() == "content-length" and not has_body):
                self.send_header(name, value)
        if has_body:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if has_body:
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_one

    def log_message(self, format: str, *args: Any) -> None:  # pylint: disable=redefined-builtin
        """Logs nothing."""


def denial(why: str) -> bytes:
    """Returns the body of a refusal."""
    return json.dumps({"__type": "AccessDeniedException", "message": why}).encode()

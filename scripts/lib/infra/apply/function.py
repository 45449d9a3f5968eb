"""A function as Lambda runs it: the program as `bootstrap`, with the Runtime API that it gets its events from."""

import itertools
import json
import queue
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

# The longest time until an event is answered. A function may take longer, but no run here has so much work.
TIMEOUT = 120


class Failed(Exception):
    """An invocation that the function answered with an error, or not at all."""


class Function:
    """One process of a worker's function."""

    def __init__(self, program: Path, arn: str, timeout: int, variables: dict[str, str], log: Path):
        self.arn, self.timeout = arn, timeout
        self.log = log
        self.ids = itertools.count(1)
        self.events: queue.Queue[tuple[str, int, bytes]] = queue.Queue()
        self.answers: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"function": self}))
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        api = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}"}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [program],
                env=variables | api | environment(arn),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def invoke(self, event: dict[str, Any], seconds: int | None = None) -> Any:
        """Sends an event, and returns the answer. The function is told that it may take so long, or its time-out."""
        deadline = int((time.time() + (seconds or self.timeout)) * 1000)
        self.events.put((f"request-{next(self.ids)}", deadline, json.dumps(event).encode()))
        for _ in range(10 * TIMEOUT):
            try:
                kind, body = self.answers.get(timeout=0.1)
                break
            except queue.Empty:
                if self.process.poll() is not None:
                    raise Failed(f"{self.arn} exited: {self.tail()}") from None
        else:
            raise Failed(f"{self.arn} does not answer: {self.tail()}")
        if kind != "response":
            raise Failed(f"{self.arn}: {body.decode()}")
        return json.loads(body)

    def tail(self) -> str:
        """Returns the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])

    def stop(self) -> None:
        """Ends the process."""
        self.process.kill()
        self.process.wait()
        self.server.shutdown()


def environment(arn: str) -> dict[str, str]:
    """Returns the variables that Lambda adds."""
    name, region = arn.rpartition(":")[2], arn.split(":")[3]
    return {"AWS_LAMBDA_FUNCTION_NAME": name, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "AWS_REGION": region,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}"}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """The Runtime API of one function."""

    function: Function
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """The function asks for its next event."""
        request, deadline, event = self.function.events.get()
        self.send_response(200)
        self.send_header("lambda-runtime-aws-request-id", request)
        self.send_header("lambda-runtime-deadline-ms", str(deadline))
        self.send_header("lambda-runtime-invoked-function-arn", self.function.arn)
        self.send_header("Content-Length", str(len(event)))
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self) -> None:
        """The function answers: .../REQUEST/response, .../REQUEST/error or init/error."""
        body = self.read()
        self.function.answers.put((self.path.rpartition("/")[2], body))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def read(self) -> bytes:
        """Returns the body, which may come in chunks."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, format: str, *args: Any) -> None:  # pylint: disable=redefined-builtin
        """Logs nothing."""

"""The loopback HTTP server around `Service`, and the environment that leads boto3 to it."""

import contextlib
import os
import socket
import socketserver
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from codeflow.core.errors import UsageError
from codeflow.core.values import Usage
from codeflow.models.endpoint import wire
from codeflow.models.endpoint.service import (
    JsonResponse,
    Request,
    RulesFor,
    Service,
    StreamResponse,
    permissive,
)
from codeflow.models.endpoint.transcript import Transcript

LOOPBACK = "127.0.0.1"
CONFLICTING_VARIABLES = ("AWS_BEARER_TOKEN_BEDROCK",)
"""Must be removed besides setting `environment`: even empty, it makes boto3 insist on HTTPS."""


class Endpoint:
    """Serves a transcript on 127.0.0.1 while its `with` block lasts; port 0 picks a free one.

    Raises:
        UsageError: on entering, when the port cannot be opened.
    """

    def __init__(self, transcript: Transcript, *, rules_for: RulesFor = permissive, port: int = 0) -> None:
        self._service = Service(transcript, rules_for)
        self._port = port

    def __enter__(self) -> Self:
        try:
            self._server = _Server(self._port, self._service)
        except (OSError, OverflowError) as error:
            message = f"port {self._port} of {LOOPBACK} cannot be opened: {error}"
            raise UsageError(message, hint="Choose another port, or none to get a free one.") from error
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    @property
    def requests(self) -> list[Request]:
        """Every request that matched the service model, in order of arrival."""
        return self._service.requests

    @property
    def billed(self) -> Usage:
        """What all answers together took, by the endpoint's own count."""
        return sum(self._service.billed, Usage())

    @property
    def violations(self) -> list[str]:
        """Everything that real Bedrock would have refused, one line each."""
        return self._service.violations


def environment(url: str) -> dict[str, str]:
    """Variables by which unmodified boto3 talks to `url` only; set them over the current environment.

    The user's own profiles and proxies are kept out of the way; see also `CONFLICTING_VARIABLES`.
    """
    config = str(Path(__file__).with_name("aws_config.ini"))
    direct = ",".join(filter(None, [os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")), LOOPBACK]))
    return {
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": url,
        "AWS_ENDPOINT_URL_BEDROCK": url,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_ACCESS_KEY_ID": "codeflow-endpoint",
        "AWS_SECRET_ACCESS_KEY": "codeflow-endpoint",
        "AWS_SESSION_TOKEN": "",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": config,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_PROFILE": "default",
        "AWS_DEFAULT_PROFILE": "default",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": direct,
        "no_proxy": direct,
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for them and leaves no socket behind

    def __init__(self, port: int, service: Service) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.service = service
        self.closing = threading.Event()
        self._connections: set[Any] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_bind(self) -> None:
        # HTTPServer would look up the host's full name, which may ask a DNS server.
        socketserver.TCPServer.server_bind(self)

    def close(self) -> None:
        """Stops at once: waiting replies are abandoned and idle connections dropped."""
        self.closing.set()
        self.shutdown()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):  # the client was faster
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # a client may hang up whenever it likes
            super().handle()

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  http.server's signature
        """Nothing: requests are kept in `Endpoint.requests`."""

    def _respond(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal():
            self.send_error(HTTPStatus.BAD_REQUEST, "Content-Length is not a number")
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):  # the client was killed while it sent: no request has come
            self.close_connection = True
            return
        response = self.server.service.respond(self.command, self.path, body)
        self._wait(response.latency_ms)
        if response.stalled and isinstance(response, JsonResponse):
            self.server.closing.wait()
        if isinstance(response, StreamResponse):
            self._send_stream(response)
        elif not (response.cut or response.stalled):
            self._send_json(response)
        dropped = response.cut or response.stalled
        self.close_connection = self.close_connection or dropped or self.server.closing.is_set()

    def _wait(self, milliseconds: int) -> None:
        if milliseconds:
            self.server.closing.wait(milliseconds / 1000)

    def _send_json(self, response: JsonResponse) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", wire.JSON)
        self.send_header("Content-Length", str(len(response.body)))
        if response.error:
            self.send_header("x-amzn-ErrorType", response.error)
        if response.retry_after_s is not None:
            self.send_header("Retry-After", str(response.retry_after_s))
        self.end_headers()
        self.wfile.write(response.body)

    def _send_stream(self, response: StreamResponse) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", wire.EVENT_STREAM)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for index, frame in enumerate(response.frames):
            self._wait(response.pace_ms if index else 0)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(frame), frame))
        if response.stalled:
            self.server.closing.wait()
        elif not response.cut:
            self.wfile.write(b"0\r\n\r\n")

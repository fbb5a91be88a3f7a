"""Clients that do not behave."""

import socket
from contextlib import closing


def test_a_client_that_was_killed_while_it_sent_has_asked_nothing(serve):
    endpoint = serve("  - {agent: default, say: hi}\n")
    port = int(endpoint.url.rpartition(":")[2])
    with closing(socket.create_connection(("127.0.0.1", port))) as client:
        client.sendall(b'POST /model/m/converse HTTP/1.1\r\nContent-Length: 500\r\n\r\n{"mess')
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""
    assert (endpoint.requests, endpoint.violations) == ([], [])

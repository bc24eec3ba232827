"""`switchback proxy --status`: the figures of the proxy that runs, however it is served."""

from __future__ import annotations

import http.client
import socket
import ssl

from framework.errors import ConfigError

HOST = "127.0.0.1"

PATIENCE = 30.0
"""Seconds for an answer: a machine may be busy, and where nobody listens it is known at once."""


class _AtFile(http.client.HTTPConnection):
    """A connection to a socket file."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


def status(port: int, unix: str | None = None) -> str:
    """Return the figures of the proxy at a port, with TLS or without, or at a socket file.

    Raise `ConfigError` where none answers.
    """
    from feeds.alpaca.proxy import recording_figures
    from feeds.alpaca.proxy.figures import described, read

    ways = [_AtFile(unix)] if unix else [_plain(port), _encrypted(port)]
    for way in ways:
        try:
            text = _fetched(way)
            return described(read(text)) + recording_figures.described(recording_figures.read(text))
        except (OSError, ValueError, http.client.HTTPException):
            continue
    where, option = (f"at {unix}", "--unix") if unix else (f"on port {port}", "--port")
    raise ConfigError(f"no proxy answers {where}; start one: switchback proxy, or name its {option}")


def _plain(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(HOST, port, timeout=PATIENCE)


def _encrypted(port: int) -> http.client.HTTPConnection:
    """Nothing secret is said or told, so whose certificate it is does not matter."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(HOST, port, timeout=PATIENCE, context=context)


def _fetched(connection: http.client.HTTPConnection) -> str:
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()

"""A websocket over TLS that one thread reads and writes.

The library's own threading client reads in one thread while it writes in another, and OpenSSL's connections are not
made for that: now and then a handshake was never answered.
"""

from __future__ import annotations

import socket
import ssl
from collections import deque
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.uri import parse_uri


class TlsSocket:
    """Connects to `address` (wss://...); `own` is a socket that has connected there already."""

    def __init__(self, address: str, trusted: str, own: socket.socket | None = None) -> None:
        where = urlsplit(address)
        plain = own or socket.create_connection((where.hostname, where.port), timeout=10)
        plain.settimeout(10)
        context = ssl.create_default_context(cafile=trusted)
        self._socket = context.wrap_socket(plain, server_hostname=where.hostname)
        self._protocol = ClientProtocol(parse_uri(address))
        self._events: deque[Any] = deque()
        self._protocol.send_request(self._protocol.connect())
        self._flush()
        assert self._next().status_code == 101

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def send(self, text: str) -> None:
        self._protocol.send_text(text.encode())
        self._flush()

    def recv(self, timeout: float = 10) -> str:
        """Return the next text; what is silent for long is a failure."""
        self._socket.settimeout(timeout)
        while not isinstance(event := self._next(), Frame) or event.opcode.name != "TEXT":
            pass
        return bytes(event.data).decode()

    def _next(self) -> Any:
        while not self._events:
            self._protocol.receive_data(self._socket.recv(4_096))
            self._events.extend(self._protocol.events_received())
            self._flush()
        return self._events.popleft()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            self._socket.sendall(data)

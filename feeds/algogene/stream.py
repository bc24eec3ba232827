"""The conversation on the price socket: frames in, frames to send and quotes out. Pure.

The subscription is not known to be confirmed, so the line counts as ready with the first frame that is no refusal: a
price, or the server's ping.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from feeds.algogene.naming import NAME, VARIABLES
from feeds.algogene.protocol import BASE_URL, Session, socket_url
from feeds.algogene.quotes import PONG, BrokerQuote, Ping, Said, read_frame, subscription
from framework.config import Credentials
from framework.errors import AuthenticationError, ProtocolError
from framework.live.stream import Frame

SILENCE = 75.0
"""Seconds without any frame after which the line is dead: the server pings every 30."""


@dataclass(frozen=True, slots=True)
class Strange:
    """A frame that is not understood; it costs only itself. `example` holds no secret."""

    what: str
    example: str


class PriceStream:
    """A `framework.live.stream.TimedProtocol` of `BrokerQuote | Strange`, for one socket.

    With `broker` only that one's prices are asked for; others that come all the same are not told.
    """

    headers: Mapping[str, str] = {}

    def __init__(
        self, credentials: Credentials, symbols: Sequence[str], broker: str = "", base_url: str = BASE_URL
    ) -> None:
        self.url = socket_url(base_url)
        self.is_ready = False
        self._credentials, self._symbols, self._broker = credentials, tuple(symbols), broker
        self._session = Session(credentials, lambda: 0.0)
        self._heard_at: float | None = None

    def opening(self, now: float) -> Sequence[Frame]:
        """Begin anew; return the subscription."""
        self.is_ready, self._heard_at = False, now
        return [subscription(self._credentials, self._symbols, self._broker)]

    def receive(self, frame: Frame, now: float) -> tuple[Sequence[Frame], Sequence[BrokerQuote | Strange]]:
        """Take a frame; raise `AuthenticationError` where the subscription is refused."""
        self._heard_at = now
        try:
            said = read_frame(frame)
        except ProtocolError as error:
            return [], [Strange(self._session.hidden(str(error)), self._session.hidden(str(error.received))[:200])]
        if isinstance(said, Said):
            return [], self._told(said)
        self.is_ready = True
        if isinstance(said, Ping):
            return [PONG], []
        return [], [said] if self._is_wanted(said) else []

    def deadline(self) -> float | None:
        """Return None: nothing is sent unasked."""
        return None

    def due(self, now: float) -> Sequence[Frame]:
        """Return nothing."""
        return []

    def heard(self, now: float) -> None:
        """Note a pong of the websocket itself. A gateway may send it: only a frame says more."""

    def silence(self, now: float, at: datetime) -> str:
        """Return why to give the connection up: nothing was said for more than two pings' time."""
        is_dead = self._heard_at is not None and now - self._heard_at > SILENCE
        return f"nothing was said for {SILENCE:.0f} s" if is_dead else ""

    def closed(self) -> None:
        """Note that the connection has gone."""
        self.is_ready, self._heard_at = False, None

    def _told(self, said: Said) -> list[BrokerQuote | Strange]:
        if said.is_ok:
            self.is_ready = True
            return []
        why = self._session.hidden(said.text) or "no reason given"
        asked, keys = ", ".join(sorted(self._symbols)), " and ".join(VARIABLES)
        raise AuthenticationError(NAME, f'prices of {asked} are refused: "{why}"; check the symbols, and {keys}')

    def _is_wanted(self, quote: BrokerQuote) -> bool:
        return quote.quote.symbol in self._symbols and self._broker in ("", quote.broker)

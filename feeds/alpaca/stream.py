"""A client's conversation with one of Alpaca's data streams, without a socket: frames in, frames and events out. Pure.

`subscriptions` is the other end of it. A shell opens a socket to `url` with `headers`, sends what
`opening`, `receive`, `subscribe` and `due` return, and obeys the events: after `Lost` it connects
again, after `Stopped` it raises the error. Every `now` is in seconds of I/O time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from feeds.alpaca import protocol, stream_errors
from feeds.alpaca.messages import as_json, as_msgpack, from_json, from_msgpack
from feeds.alpaca.protocol import DATA_URL, NAME
from feeds.alpaca.quiet import Patience, Quiet
from feeds.alpaca.readings import FIELDS, KNOWN, read
from feeds.alpaca.stream_errors import Verdict
from feeds.alpaca.stream_events import Event, Lost, Refused, State, Stopped, Strange, Subscribed, TurnedAway
from feeds.alpaca.subscriptions import ENDPOINTS, Endpoint
from feeds.alpaca.wants import Channels, Wants, minus
from framework.config import Credentials
from framework.errors import ConfigError, ConnectionLost, SwitchbackError, Unsupported, nearest

STREAM_URL = "wss://stream.data.alpaca.markets"

Said = tuple[list[str | bytes], list[Event]]
"""Frames to send, and what has happened, both in order."""


def endpoint(feed: str, *, crypto: bool) -> Endpoint:
    """Return the stream of a feed ("iex", "sip", "test") or of crypto; raise `Unsupported` where there is none."""
    known = {each.feed: each for each in ENDPOINTS if each.is_crypto is crypto}
    if crypto:
        return next(iter(known.values()))
    if feed not in known:
        raise Unsupported(
            f"{NAME}: feed {feed!r} has no stream of its own{nearest(feed, known)}; try {', '.join(known)}"
        )
    return known[feed]


@dataclass(slots=True)
class Stream:
    """One endpoint's conversation, over as many connections as it takes. Owned by the I/O thread.

    What is subscribed to, counted and found strange outlives a connection; `opening` begins each.
    `state` may be read at any time.
    """

    endpoint: Endpoint
    credentials: Credentials
    base_url: str = DATA_URL
    is_packed: bool = True
    patience: Patience = field(default_factory=Patience)
    state: State = State.CLOSED
    counts: Counter[str] = field(default_factory=Counter)
    """How many messages of each kind have come."""
    strange: Counter[str] = field(default_factory=Counter)
    """How often each strange thing has come."""
    is_shared: bool = False
    """Whether many ask over it: an error that answers one question is then no matter of the others."""
    _wants: Wants = field(default_factory=Wants)
    _attempt: int = 0
    _again: float | None = None
    _frames: list[str | bytes] = field(default_factory=list)
    _events: list[Event] = field(default_factory=list)
    _quiet: Quiet = field(init=False)

    def __post_init__(self) -> None:
        self._quiet = Quiet(self.patience)

    @property
    def url(self) -> str:
        """The address of the socket: Alpaca's own, or the same path at `base_url`."""
        if self.base_url == DATA_URL:
            return STREAM_URL + self.endpoint.path
        return self.base_url.replace("http", "ws", 1) + self.endpoint.path

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the handshake; they hold no secret."""
        return {"Content-Type": f"application/{'msgpack' if self.is_packed else 'json'}"}

    @property
    def wanted(self) -> Channels:
        """What is subscribed to, or will be."""
        return self._wants.wanted

    def has(self, channel: str, symbol: str) -> bool:
        """Return whether a subscription is acknowledged on this connection."""
        return symbol in self._wants.had.get(channel, ())

    def opening(self, now: float) -> list[str | bytes]:
        """Begin with a new connection; return the frames to send, none: the server speaks first."""
        self.state = State.GREETING
        self._wants.begin()
        self._attempt, self._again = 0, None
        self._quiet.open(now)
        return []

    def closed(self) -> None:
        """Note that the connection has gone."""
        self._again = None
        if self.state is not State.STOPPED:
            self.state = State.CLOSED

    def subscribe(self, channels: Mapping[str, Iterable[str]]) -> list[str | bytes]:
        """Want these symbols too; return the frames to send (without a login yet, it is done with the first).

        Raise `Unsupported` for a channel that the stream does not have, `ConfigError` for a symbol of another kind.
        """
        asked = {name: frozenset(symbols) for name, symbols in channels.items()}
        for name, symbols in asked.items():
            self._check(name, symbols)
        more = self._wants.add(asked)
        if self._is_in:
            self._ask(more)
        return self._said()[0]

    def join(self, symbol: str, channels: Iterable[str]) -> list[str | bytes]:
        """Want one more symbol, whose refusal costs the others nothing; return the frames to send. Raise likewise."""
        names = tuple(channels)
        for name in names:
            self._check(name, frozenset({symbol}))
        self._wants.join(symbol, names)
        if self._is_in and symbol in self._wants.joining:
            self._send_questions(self._wants.ask_apart(symbol))
        return self._said()[0]

    def leave(self, symbol: str) -> list[str | bytes]:
        """Want nothing of a symbol any more; return the frames to send."""
        left = self._wants.leave(symbol)
        if self._is_in and left:
            self._wants.expect_answer()
            self._send({"action": "unsubscribe", **{name: [symbol] for name in sorted(left)}})
        return self._said()[0]

    def unsubscribe(self, channels: Channels) -> list[str | bytes]:
        """Want these no more; return the frames to send."""
        if not self._is_in:
            self._wants.drop(channels)
        elif channels:
            self._wants.give_back(channels)
            self._send({"action": "unsubscribe", **{name: sorted(symbols) for name, symbols in channels.items()}})
        return self._said()[0]

    def carried(self, count: int, now: float) -> None:
        """Note that so many messages of channels came, which somebody else reads."""
        self.counts["carried"] += count
        self._quiet.told(now)

    def receive(self, frame: str | bytes, now: float) -> Said:
        """Take a frame; return what to send and what has happened. A message that is wrong costs only itself."""
        self._quiet.heard(now)
        for message in self._decoded(frame):
            self._take(message, now)
            if self.state in (State.CLOSED, State.STOPPED):
                break
        return self._said()

    def due(self, now: float) -> Said:
        """Return what is to be sent by now, though nothing came: a login that was turned away."""
        if self._again is not None and now >= self._again:
            self._again = None
            self._quiet.ask(now)
            self._login()
        return self._said()

    def deadline(self) -> float | None:
        """Return when `due` will have something, None where it has nothing to wait for."""
        return self._again

    def heard(self, now: float) -> None:
        """Note that the other side lives: a ping or a pong came."""
        self._quiet.heard(now)

    def is_silent(self, now: float, is_open: bool) -> bool:
        """Return whether the connection is to be given up: see `Patience`. `is_open` tells trading hours."""
        if self.state in (State.CLOSED, State.STOPPED):
            return False
        rhythmic = self.state is State.LIVE and self._wants.is_limited and is_open
        handshake = self.state in (State.GREETING, State.LOGIN, State.SUBSCRIBING)
        return self._quiet.is_silent(now, is_rhythmic=rhythmic, is_handshake=handshake)

    @property
    def is_live(self) -> bool:
        """Whether all that was first asked for on this connection is answered."""
        return self.state is State.LIVE

    @property
    def _is_in(self) -> bool:
        """Whether the login is done."""
        return self.state in (State.SUBSCRIBING, State.LIVE)

    def _said(self) -> Said:
        frames, events = self._frames, self._events
        self._frames, self._events = [], []
        return frames, events

    def _send(self, message: Mapping[str, Any]) -> None:
        self._frames.append(as_msgpack(message) if self.is_packed else as_json(message))

    def _login(self) -> None:
        self.state = State.LOGIN
        self._send({"action": "auth", "key": self.credentials.key, "secret": self.credentials.secret})

    def _decoded(self, frame: str | bytes) -> list[Any]:
        try:
            found = from_msgpack(frame) if self.is_packed and isinstance(frame, bytes) else from_json(frame)
        except (ValueError, RecursionError) as error:
            self._note("a frame that cannot be read", str(error))
            return []
        return found if isinstance(found, list) else [found]

    def _take(self, message: Any, now: float) -> None:
        kind = message.get("T") if isinstance(message, dict) else None
        if not isinstance(kind, str):
            return self._note("a message without a type", message)
        self.counts[kind] += 1
        match kind:
            case "success":
                self._greeted(message, now)
            case "subscription":
                self._subscribed(message, now)
            case "error":
                self._failed(message, now)
            case _ if kind in KNOWN:
                self._told(message, now)
            case _:
                self._note(f"a message of type {kind!r}", message)
        return None

    def _greeted(self, message: Mapping[str, Any], now: float) -> None:
        match message.get("msg"), self.state:
            case "connected", State.GREETING:
                self._login()
            case "authenticated", State.LOGIN:
                self._enter(now)

    def _enter(self, now: float) -> None:
        """The login is done: ask for everything, what no plan limits first, and what has just joined last."""
        self.state = State.SUBSCRIBING
        self._attempt = 0
        if hopeless := self._wants.hopeless:
            self._refuse(hopeless, stream_errors.unanswered(hopeless))
        self._ask(self._wants.settled)
        for symbol in self._wants.joining:
            self._send_questions(self._wants.ask_apart(symbol))
        self._settle(now)

    def _ask(self, channels: Channels) -> None:
        self._send_questions(self._wants.ask(channels))

    def _send_questions(self, questions: Iterable[Channels]) -> None:
        for part in questions:
            self._send({"action": "subscribe", **{name: sorted(symbols) for name, symbols in part.items()}})

    def _subscribed(self, message: Mapping[str, Any], now: float) -> None:
        had = {name: _symbols(message.get(name)) for name in self.endpoint.channels}
        if self._wants.is_skipped(had):
            return self._lose("a subscription that was not answered")
        if lacking := self._wants.answer(had):
            self._refuse(lacking, stream_errors.lacking(lacking))
        return self._settle(now)

    def _settle(self, now: float) -> None:
        if not self._wants.is_asking and self._is_in:
            self.state = State.LIVE
            self._quiet.began(now)
            self._events.append(Subscribed(minus(self._wants.had, {})))

    def _refuse(self, channels: Channels, error: SwitchbackError, code: int = 0) -> None:
        """Want no more what is not had: else each new connection would ask for it in vain."""
        self._wants.drop(channels)
        self._events.append(Refused(channels, error, code))

    def _failed(self, message: Mapping[str, Any], now: float) -> None:
        code, text = _code(message.get("code")), self.credentials.hidden(str(message.get("msg") or ""))
        match stream_errors.VERDICTS.get(code), self.state:
            case Verdict.BENIGN, State.LOGIN:  # the server knows us already, so there will be no "authenticated"
                self._enter(now)
            case Verdict.BENIGN, _:
                pass
            case Verdict.STOP | Verdict.REFUSED, _ if self._is_asking_gently:
                self._refused(code, text, now)
            case Verdict.STOP, _:
                self.state = State.STOPPED
                self._events.append(Stopped(stream_errors.fatal(code, text, self.endpoint)))
            case Verdict.AGAIN, State.LOGIN:
                self._turned_away(code, text, now)
            case Verdict.REFUSED, _ if self._wants.is_asking:
                self._refused(code, text, now)
            case None, State.LIVE if not self._wants.is_asking:
                self._note(f"an error {code}", message)
            case _:
                self._lose(stream_errors.said(code, text))

    @property
    def _is_asking_gently(self) -> bool:
        """Whether the oldest question may be answered by any error, and all else goes on."""
        wants = self._wants
        return wants.is_asking_for_extras or wants.is_asking_apart or (self.is_shared and wants.is_asking)

    def _refused(self, code: int, text: str, now: float) -> None:
        """Take an error for the answer to the oldest question."""
        asked = self._wants.refused()
        self._refuse(asked, stream_errors.refusal(code, text, asked), code)
        self._settle(now)

    def _turned_away(self, code: int, text: str, now: float) -> None:
        self._attempt += 1
        if self._attempt > stream_errors.TRIES:
            advice = "another session has the one connection of this account; end it, or wait for 90 s"
            return self._lose(f"{stream_errors.said(code, text)}, {self._attempt} times: {advice}")
        seconds = stream_errors.wait(self._attempt)
        self.state, self._again = State.TURNED_AWAY, now + seconds
        self._events.append(TurnedAway(self._attempt, stream_errors.TRIES, seconds))
        return None

    def _lose(self, why: str) -> None:
        self.closed()
        self._events.append(Lost(ConnectionLost(NAME, f"the stream {self.endpoint.path} ended with {why}")))

    def _told(self, message: Mapping[str, Any], now: float) -> None:
        kind = message["T"]
        for name in message.keys() - FIELDS.get(kind, message.keys()):
            self._note(f"a field {name!r} in messages of type {kind!r}", message)
        try:
            value = read(message)
        except ValueError as wrong:
            return self._note(f"a message of type {kind!r} that cannot be read", f"{wrong}: {message}")
        if value is None:
            return None
        if not self._wants.has(message["S"]):
            return self._note(f"a message of {message['S']}, which was not asked for", message)
        self._quiet.told(now)
        self._events.append(value)
        return None

    def _note(self, what: str, example: object) -> None:
        self.strange[what] += 1
        if self.strange[what] == 1:
            text = self.credentials.hidden(" ".join(str(example).split()))
            self._events.append(Strange(what, text if len(text) <= 120 else text[:120] + "..."))

    def _check(self, channel: str, symbols: frozenset[str]) -> None:
        if channel not in self.endpoint.channels:
            known = self.endpoint.channels
            raise Unsupported(
                f"{NAME}: the stream {self.endpoint.path} has no {channel}{nearest(channel, known)}; it has "
                f"{', '.join(known)}"
            )
        named = symbols - {"*"}
        if named and protocol.is_crypto(sorted(named)) is not self.endpoint.is_crypto:
            kind = "crypto pairs" if self.endpoint.is_crypto else "stocks"
            raise ConfigError(f"{NAME}: the stream {self.endpoint.path} carries {kind}, not {min(symbols)}")


def _symbols(told: object) -> frozenset[str]:
    return frozenset(each for each in told if isinstance(each, str)) if isinstance(told, list) else frozenset()


def _code(code: object) -> int:
    return code if isinstance(code, int) else 0

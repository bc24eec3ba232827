"""The `Market`: one tape, one clock, the faults and the state file that every dialect of the sandbox shares.

How a dialect is mounted
    Its module has `routes(market, ...)`, which makes its state, lets it `join` the market, and returns
    aiohttp routes on the venue's own paths. `framework.app.sandbox` puts the routes of all dialects into
    one server. `market.key` and `market.secret` are what every dialect accepts as credentials.

How it reads the tape
    `market.now()` is venue time. `market.tape` holds everything; a dialect tells only what is past:
    `tape.known(symbol, now)` are the bars that have ended (columns, history before the start included),
    `tape.last(symbol, now)` the last of them, `tape.quotes(symbol, since, until)` and
    `tape.trades(symbol, since, until)` the quotes and trades of a span, `market.quote(symbol)` the
    quote that stands. `tape.calendar` has the sessions, `tape.session(at)` the one that a time is in or before.
    What a dialect has to tell at times of its own needs instants there: `Tape(also=...)`.

How it is told of each played instant
    It joins as a `Listener`. `play(instant)` is called when venue time is `instant.at`: synchronous,
    deterministic, no I/O; it changes state and keeps the messages. Then `flush()` is awaited, in the
    order of joining, and writes them; it returns when all is written. On a restart from a state file
    `play` is called again for every instant of before, and `flush` is not.

How its own commands survive a restart
    `market.record(dialect, body)` in the same breath as the change of state, then
    `await market.synced()` before anything of it leaves. A restart hands each record to the
    listener's `restore(body)`, in the order of recording, between the same instants; `forget()` then
    drops the messages that came of it. A body's "at" is venue time: the clock goes on from the latest.

How it asks for faults
    `market.faults.know({...})` names them when it is mounted; `market.faults.take(name, stream, **facts)`
    is asked where one could happen. `framework.sandbox.streams` has those that every socket can have.

How it counts what it has sent
    `market.sent[stream] += 1` for each message that a client is to read, and for nothing else (no
    greetings, no answers to a subscription), as soon as it is written. `/_sandbox/step` answers with it:
    a lock-step client reads until it has seen as many. `market.lost[stream]` counts what went down with
    a line that dropped: more has been said than was sent, so that a client can wait until its line is
    back. `market.requests[name] += 1` counts requests.
    `framework.sandbox.streams.Connection` counts by itself. `await market.audiences[stream].add(connection)`
    when a client has begun to listen, `.discard` when it stops: tests and `/_sandbox/state` look there.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from framework.live.clock import WallClock
from framework.model import Quote
from framework.ports import Clock
from framework.sandbox.actions import Halted
from framework.sandbox.audience import Audience
from framework.sandbox.clock import MarketClock
from framework.sandbox.faults import Faults
from framework.sandbox.ledger import Ledger
from framework.sandbox.tape import Instant, Tape, made_quote

PLAYED, CREDENTIALS, HALTED = "played", "credentials", "halted"

_NEXT = timedelta(microseconds=1)


class Listener(Protocol):
    """A dialect's state, as the market sees it."""

    name: str

    def play(self, instant: Instant) -> None:
        """Take in what happens at an instant; keep the messages for `flush`."""

    async def flush(self) -> None:
        """Write the messages that are kept, and return when they are written."""

    def restore(self, body: Mapping[str, Any]) -> None:
        """Do again what was recorded."""

    def forget(self) -> None:
        """Drop the messages that a restart kept: they were written before it."""


class Market:
    """Plays a tape to the dialects that joined. Owned by the thread that serves it.

    `speed` is 1 for real time, 60 for a minute a second, None for lock-step. `state` is a file that keeps
    the book and the credentials; `seed` decides what is random and the ids. The clock starts when the first bar begins.
    `io` tells I/O time (the world's unless given): it must agree with the timers of the running loop.
    """

    def __init__(
        self,
        tape: Tape,
        *,
        speed: float | None = None,
        state: str | Path | None = None,
        seed: int = 0,
        key: str = "",
        secret: str = "",
        options: Mapping[str, Any] | None = None,
        io: Clock | None = None,
    ) -> None:
        self.tape, self.seed = tape, seed
        own = io or WallClock()
        self.clock = MarketClock(tape.starts_at, speed, own.monotonic, lambda: own.now().timestamp())
        self.faults = Faults()
        self.sent: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.audiences: defaultdict[str, Audience] = defaultdict(Audience)
        self.ledger = Ledger(state, {"tape": tape.fingerprint(), "seed": seed, **(options or {})})
        self.key, self.secret = self._credentials(key, secret)
        self.played_at = tape.starts_at
        self.is_over = False
        self._listeners: dict[str, Listener] = {}
        self._quotes: dict[str, Quote] = {}
        self._turn = asyncio.Lock()

    def now(self) -> datetime:
        """Return venue time, aware UTC: never earlier than the last instant played."""
        return max(self.clock.now(), self.played_at)

    def join(self, listener: Listener) -> None:
        """Let a dialect hear of every instant that is played from now on."""
        self._listeners[listener.name] = listener

    def quote(self, symbol: str) -> Quote | None:
        """Return the quote that stands, None before the first price of a symbol."""
        if symbol in self._quotes or symbol not in self.tape.symbols:
            return self._quotes.get(symbol)
        last = self.tape.last(symbol, self.played_at)
        return made_quote(symbol, last.end, last.close, self.tape.spread) if last else None

    def record(self, dialect: str, body: Mapping[str, Any]) -> None:
        """Write down what a dialect did, for a restart; `await synced()` before it is told."""
        self.ledger.append(dialect, body)

    async def synced(self) -> None:
        """Wait until all that was recorded is on disk."""
        await self.ledger.synced()

    def restore(self) -> None:
        """Make the book of the state file again: call it once, when every dialect has joined."""
        latest = self.clock.now()
        for kind, body in self.ledger.records:
            if "at" in body:
                latest = max(latest, datetime.fromisoformat(body["at"]))
            if kind == PLAYED:
                self._play(self.tape.at(datetime.fromisoformat(body["at"])))
            elif kind == HALTED:
                self.tape.halt(Halted(body["symbol"], *map(datetime.fromisoformat, (body["since"], body["until"]))))
            elif kind in self._listeners:
                self._listeners[kind].restore(body)
        self.ledger.records.clear()
        for listener in self._listeners.values():
            listener.forget()
        self.clock.set(max(self.played_at, latest))

    async def step(self) -> Instant | None:
        """Play the next instant; return it when all is written, None at the end of the tape."""
        async with self._turn:
            instant = self.tape.after(self.played_at)
            if instant is None:
                self.is_over = True
                return None
            if self.clock.speed is None:
                self.clock.set(instant.at)
            self.ledger.append(PLAYED, {"at": instant.at.isoformat()})
            self._play(instant)
            await self.synced()
            await self.flush()
            return instant

    async def halt(self, symbol: str, length: timedelta) -> Halted:
        """Halt a symbol from now on; in a running market it is told at once, in lock-step with the next step.

        Raise `ConfigError` for a symbol that is not on the tape.
        """
        since = max(self.now(), self.played_at + _NEXT)
        halted = Halted(symbol, since, since + length)
        self.tape.halt(halted)
        body = {"symbol": symbol, "since": halted.since.isoformat(), "until": halted.until.isoformat()}
        self.ledger.append(HALTED, body)
        if self.clock.speed is not None:
            await self.step()
        return halted

    async def flush(self) -> None:
        """Let every dialect write what it keeps, in the order of joining."""
        for listener in list(self._listeners.values()):
            await listener.flush()

    async def run(self) -> None:
        """Play the tape by the clock until it ends. In lock-step it is `step` that plays: this only returns."""
        while self.clock.speed is not None and (due := self.tape.next_at(self.played_at)) is not None:
            await self.clock.until(due)
            if self.tape.next_at(self.played_at) == due:  # a halt may have taken it off the tape
                await self.step()
        self.is_over = self.tape.after(self.played_at) is None

    def _credentials(self, key: str, secret: str) -> tuple[str, str]:
        """Return those given, else those of the state file, else new ones."""
        kept = next((body for kind, body in self.ledger.records if kind == CREDENTIALS), None)
        if key and secret:
            return key, secret
        if kept is None:
            kept = {"key": "SANDBOX" + secrets.token_hex(6).upper(), "secret": secrets.token_hex(20)}
            self.ledger.append(CREDENTIALS, kept)
        return kept["key"], kept["secret"]

    def _play(self, instant: Instant) -> None:
        self.played_at = instant.at
        self._quotes.update({quote.symbol: quote for quote in instant.quotes})
        for listener in self._listeners.values():
            listener.play(instant)

"""`switchback sandbox`: a venue on 127.0.0.1 that speaks the venues' real dialects, faults included.

Also a context manager, `Sandbox`, for notebooks and tests.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from aiohttp.web import RouteDef

    from brokers.algogene.settings import Settings as AlgogeneSettings
    from brokers.alpaca.settings import Settings
    from feeds.alphahub.sandbox_signals import Publication
    from framework.model import Split
    from framework.ports import Source
    from framework.sandbox.actions import Halted
    from framework.sandbox.faults import Fault
    from framework.sandbox.market import Market
    from framework.sandbox.server import Routes
    from framework.sandbox.tape import Detail, Tape

SYMBOLS = ("SPY", "IBM")
DAY = "2026-10-05"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=0, help="default: any that is free")
    tape = parser.add_argument_group("what is played")
    tape.add_argument("--symbols", metavar="A,B", help="default: SPY,IBM of the sample, or all that a file holds")
    tape.add_argument("--bars", metavar="FILE", help="your bars: a Parquet or CSV file; without it, sample bars")
    tape.add_argument("--day", metavar="DAY", help=f"first day that is played, such as {DAY} (the default)")
    tape.add_argument("--seed", type=int, default=0, help="of the sample bars, the ids and what is random")
    tape.add_argument("--path", action="store_true", help="play each bar along its path, not at its end")
    clock = parser.add_argument_group("the clock").add_mutually_exclusive_group()
    clock.add_argument("--speed", type=float, metavar="N", help="60 is a minute a second; default: 1, real time")
    clock.add_argument("--lockstep", action="store_true", help="play one instant for each POST /_sandbox/step")
    venue = parser.add_argument_group("the venue")
    venue.add_argument("--state", metavar="FILE", help="keep the book here, through a stop or a crash")
    venue.add_argument("--cash", type=float, default=100_000, help="default: 100000")
    venue.add_argument("--rate", type=int, metavar="N", help="requests a minute; default: 200, in real time only")
    venue.add_argument("--partial", type=float, default=0.0, metavar="P", help="chance that a fill takes half an order")
    venue.add_argument("--old-account", action="store_true", help="show the account as it was before July 2026")
    venue.add_argument("--fault-rate", type=float, default=0.0, metavar="P", help="chance of a fault, by --seed")


def main(options: argparse.Namespace) -> int:
    """Serve until interrupted. The first line on standard output is JSON: url, key, secret, pid, alphahub, algogene."""
    return asyncio.run(_serve(options))


async def _serve(options: argparse.Namespace) -> int:
    from brokers.algogene.sandbox import access
    from feeds.alphahub.sandbox import ANYONE
    from framework.sandbox.market import Market
    from framework.sandbox.server import serving

    tape = _tape(_sources(options), path=options.path)
    speed = None if options.lockstep else options.speed or 1.0
    settings = _settings(options)
    market = Market(tape, speed=speed, state=options.state, seed=options.seed, options=_identity(settings))
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    async with serving(market, dialects(settings, options.rate), options.port) as url:
        if options.fault_rate:
            market.faults.at_random(options.seed, options.fault_rate)
        first = {"url": url, "key": market.key, "secret": market.secret, "pid": os.getpid()}
        print(json.dumps({**first, "alphahub": ANYONE, "algogene": access(market)}), flush=True)
        await end.wait()
    return 0


def dialects(
    settings: Settings | None = None,
    limit: int | None = None,
    alphahub: Routes | None = None,
    algogene: AlgogeneSettings | None = None,
) -> list[Routes]:
    """Return what mounts each dialect: market data before trading, so that bars are sent before their fills.

    `alphahub` mounts AlphaHub with signals of its own, `algogene` sets ALGOGENE up.
    """
    from brokers.algogene import sandbox as trades
    from brokers.alpaca import sandbox as alpaca_trading
    from feeds.alpaca import sandbox as alpaca_data
    from feeds.alphahub import sandbox as signals

    return [
        lambda market: alpaca_data.routes(market, limit=limit),
        alphahub or signals.routes,
        lambda market: alpaca_trading.routes(market, settings, limit=limit),
        lambda market: trades.routes(market, algogene),
    ]


def _identity(
    settings: Settings, signals: Sequence[Publication] = (), algogene: AlgogeneSettings | None = None
) -> dict[str, Any]:
    """Return what a state file belongs to; what is not asked for is not in it, so that older files stay good."""
    more = {"signals": signals, "algogene": algogene}
    return {"settings": repr(settings), **{name: repr(each) for name, each in more.items() if each}}


def _settings(options: argparse.Namespace) -> Settings:
    from brokers.alpaca.settings import Settings

    return Settings(cash=options.cash, partial=options.partial, old_account=options.old_account)


def _tape(sources: Sequence[Source], *, path: bool) -> Tape:
    from framework.sandbox.tape import Detail, Tape

    return Tape(sources, detail=Detail.PATH if path else Detail.BAR)


def _sources(options: argparse.Namespace) -> list[Source]:
    symbols = [each.strip() for each in (options.symbols or "").split(",") if each.strip()]
    if options.bars:
        from feeds import FileBars

        return [FileBars(options.bars, symbols or None, start=options.day)]
    return sample(symbols or SYMBOLS, options.day or DAY, options.seed)


def sample(symbols: Sequence[str], day: str, seed: int = 0) -> list[Source]:
    """Return a day of sample bars: shares in their session, crypto pairs (BTC/USD) beside them in the same hours."""
    from feeds import SampleBars

    shares = [each for each in symbols if "/" not in each]
    pairs = [each for each in symbols if "/" in each]
    found: list[Source] = [SampleBars(shares, day, day, seed=seed)] if shares else []
    if pairs:
        span = _session(found[0]) if shares else (day, day)
        found.append(SampleBars(pairs, *span, seed=seed, calendar="24/7"))
    return found


def _session(source: Source) -> tuple[datetime, datetime]:
    """Return when the bars of a source begin and end: pairs beside shares are played in the same hours."""
    from datetime import timedelta

    from framework.columns import moment

    ends = [bars.end for bars in source.history().values()]
    length = source.timeframe.length or timedelta()
    return moment(min(each[0] for each in ends)) - length, moment(max(each[-1] for each in ends))


class Access(TypedDict):
    """What both adapters take."""

    base_url: str
    key: str
    secret: str


class Login(TypedDict):
    """What a client of AlphaHub takes."""

    base_url: str
    email: str
    password: str


class Trader(TypedDict):
    """What a client of ALGOGENE takes."""

    base_url: str
    user: str
    api_key: str
    accountid: str


class Sandbox:
    """The sandbox as a context manager: it serves in a thread of its own until the block is left.

        with Sandbox() as sandbox:
            client = TradingClient(sandbox.key, sandbox.secret, url_override=sandbox.url)
            sandbox.fault("drop", stream="trade_updates")
            sandbox.step()

    `source` is what is played (two symbols of sample bars on one day unless given); `speed` is None for
    lock-step, 1 for real time, 60 for a minute a second. In `halts` symbols do not trade; at the instants of
    `splits` their shares are split; `signals` are published by AlphaHub at theirs. `settings` are Alpaca's
    (`brokers.alpaca.settings.Settings`), `algogene` ALGOGENE's (`brokers.algogene.settings.Settings`). Everything
    else is the venue's: see `framework.sandbox.market.Market` and `framework.sandbox.tape.Tape`.
    """

    def __init__(
        self,
        source: Source | Sequence[Source] | None = None,
        *,
        speed: float | None = None,
        seed: int = 0,
        state: str | Path | None = None,
        detail: Detail | None = None,
        settings: Settings | None = None,
        quotes: Iterable[Any] = (),
        halts: Iterable[Halted] = (),
        splits: Iterable[Split] = (),
        signals: Iterable[Publication] = (),
        algogene: AlgogeneSettings | None = None,
        limit: int | None = None,
        port: int = 0,
        key: str = "",
        secret: str = "",
    ) -> None:
        from brokers.alpaca.settings import Settings
        from feeds.alphahub.sandbox import AlphaHub
        from framework.sandbox.market import Market
        from framework.sandbox.server import ServerThread
        from framework.sandbox.tape import Detail, Tape

        played = source or sample(SYMBOLS, DAY, seed)
        own, published = settings or Settings(), tuple(signals)
        options = _identity(own, published, algogene)

        def make() -> Market:
            also = [each.at for each in published]
            tape = Tape(played, detail=detail or Detail.BAR, quotes=quotes, halts=halts, splits=splits, also=also)
            return Market(tape, speed=speed, state=state, seed=seed, key=key, secret=secret, options=options)

        def alphahub(market: Market) -> list[RouteDef]:
            self._alphahub = AlphaHub(market, published)
            return self._alphahub.routes()

        self._server = ServerThread(make, dialects(own, limit, alphahub, algogene), port)

    def __enter__(self) -> Sandbox:
        self._server.__enter__()
        self.url, self.market = self._server.url, self._server.market
        self.key, self.secret = self.market.key, self.market.secret
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)

    @property
    def access(self) -> Access:
        """What both adapters take: base_url, key and secret, as in `AlpacaVenue(**sandbox.access)`."""
        return {"base_url": self.url, "key": self.key, "secret": self.secret}

    @property
    def alphahub(self) -> Login:
        """What a client of AlphaHub takes: base_url, email and password."""
        from feeds.alphahub.sandbox import ANYONE

        return {"base_url": self.url, "email": ANYONE["email"], "password": ANYONE["password"]}

    @property
    def algogene(self) -> Trader:
        """What a client of ALGOGENE takes: base_url, user, api_key and accountid."""
        from brokers.algogene.sandbox_records import ACCOUNT

        return {"base_url": self.url, "user": self.key, "api_key": self.secret, "accountid": ACCOUNT}

    @property
    def websocket(self) -> str:
        """The URL for streams: ws:// in place of http://."""
        return self.url.replace("http", "ws", 1)

    def step(self, count: int = 1) -> dict[str, Any]:
        """Play instants of a lock-step market; return what `POST /_sandbox/step` answers."""
        from framework.sandbox.control import stepped

        return self._server.wait(stepped(self.market, count))

    def fault(self, name: str, **options: Any) -> Fault:
        """Arm a fault, such as `fault("drop", stream="trade_updates")`; raise `ConfigError` for an unknown one."""
        return self._server.call(lambda: self.market.faults.arm(name, **options))

    def halt(self, symbol: str, minutes: float = 5) -> dict[str, Any]:
        """Halt a symbol from now on; return what `POST /_sandbox/halts` answers."""
        from framework.sandbox.control import halted

        return self._server.wait(halted(self.market, {"symbol": symbol, "minutes": minutes}))

    def publish(self, algorithm: int, **lists: Any) -> dict[str, Any]:
        """Let an algorithm of AlphaHub publish now: `open=[{"symbol": "SPY", "side": "buy"}]`, `close=[]`, `quirks=[]`.

        Return what `POST /_sandbox/signals` answers; raise `ConfigError` for what cannot be published.
        """
        return self._server.wait(self._alphahub.publish({"algorithm": algorithm, **lists}))

    def random_faults(self, seed: int, rate: float, *names: str) -> None:
        """Let each chance of a fault happen with probability `rate`, the same for the same seed."""
        self._server.call(lambda: self.market.faults.at_random(seed, rate, names))

    def attend(self, stream: str, count: int = 1) -> None:
        """Wait until so many clients listen to a stream; with 0, until none does."""

        async def attended() -> None:
            await self.market.audiences[stream].attend(count)

        self._server.wait(attended())

    def hang_up(self, stream: str) -> None:
        """Cut the connections of all who listen to a stream."""
        self._server.call(lambda: self.market.audiences[stream].cut())

    def state(self) -> dict[str, Any]:
        """Return what `GET /_sandbox/state` answers."""
        from framework.sandbox.control import shown

        return self._server.call(lambda: shown(self.market))

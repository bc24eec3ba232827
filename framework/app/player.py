"""`switchback proxy --play FILE`: what a proxy has recorded, served once more: a test double for any client.

Also a context manager, `Player`, for notebooks and tests. It needs no account and no network.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from framework.app.proxy import Proxy
from framework.app.proxy_opening import Keys, Opening, Remark, TlsFiles, local_keys, place
from framework.errors import ConfigError

if TYPE_CHECKING:
    from types import TracebackType

    from feeds.alpaca.proxy.playback import Playback
    from feeds.alpaca.proxy.recording_file import Contents
    from feeds.alpaca.proxy.server import Proxy as Server
    from feeds.alpaca.subscriptions import Endpoint


@dataclass(frozen=True, slots=True)
class Playing:
    """What is played and how. `speed` 0 is as fast as clients read, `wait` for how many of them playing waits.

    `feed` says which stream of stocks is served where a file has two. `budget`, `login`, `tls` and `unix` are as in
    `framework.app.proxy_opening.Settings`. With `is_ending` it ends when everybody has been sent all.
    """

    path: str | Path
    speed: float = 1.0
    wait: int = 1
    port: int = 0
    feed: str = "iex"
    budget: int = 4 << 20
    login: float = 10.0
    is_ending: bool = False
    tls: TlsFiles | None = None
    unix: str | Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.speed < math.inf:
            raise ConfigError(f"speed={self.speed} is not a pace; try 1 for real time, 0 for as fast as clients read")
        if self.wait < 0:
            raise ConfigError(f"wait={self.wait} is no number of clients; try 1, or 0 to begin at once")


@dataclass(frozen=True, slots=True)
class Played:
    """A recording that is served."""

    server: Server
    url: str
    keys: Keys
    playback: Playback
    playing: Playing
    remark: Remark
    sent: Callable[[], None]
    """Called when everybody has been sent all."""

    async def run(self) -> None:
        """Serve and play until cancelled, or until everybody has been sent all where that is the end."""
        from framework.live.socket import first_to_fail

        await first_to_fail([asyncio.create_task(each) for each in (self.server.run(), self._play())])

    async def _play(self) -> None:
        from feeds.alpaca.proxy.audience import Audience

        await self.playback.run(Audience(lambda: self.server.upstreams), self.playing.wait)
        self.remark(f"all of {self.playing.path} is played and sent")
        self.sent()
        if not self.playing.is_ending:
            await asyncio.get_running_loop().create_future()


def opening(options: argparse.Namespace) -> Opening:
    """Return what serves what the command was asked to play; raise `ConfigError` where it cannot be."""
    if options.record is not None or options.upstream is not None:
        raise ConfigError("--play serves what was recorded; leave --record and --upstream away")
    budget = int(options.buffer * (1 << 20))
    playing = Playing(
        options.play,
        1.0 if options.speed is None else _speed(options.speed),
        1 if options.wait is None else options.wait,
        options.port,
        options.feed,
        budget,
        is_ending=options.until_end,
        tls=options.tls,
        unix=options.unix,
    )
    return partial(played, playing, lambda: None)


def _speed(text: str) -> float:
    if text == "max":
        return 0.0
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"--speed {text} is not a pace; try 1 for real time, 60, or max") from None


@contextlib.asynccontextmanager
async def played(playing: Playing, sent: Callable[[], None], remark: Remark) -> AsyncIterator[Played]:
    """Serve a recording in the running loop until the block is left; `sent` is called when all is sent.

    Raise `ConfigError` where the file cannot be played.
    """
    from feeds.alpaca import protocol
    from feeds.alpaca.proxy.account import Account
    from feeds.alpaca.proxy.playback import NOBODY, Playback, RecordedClock
    from feeds.alpaca.proxy.played_history import NoHistory
    from feeds.alpaca.proxy.recording_file import looked_through
    from feeds.alpaca.proxy.server import Proxy as Server
    from feeds.alpaca.proxy.server import served

    contents = await asyncio.to_thread(looked_through, Path(playing.path))
    if contents.first is None:
        raise ConfigError(f"{playing.path} is a recording of nothing; make one: switchback proxy --record FILE")
    remark(f"{_described(contents)}; clients to wait for: {playing.wait}")
    local, clock = local_keys(), RecordedClock(contents.first)
    playback = Playback(contents, clock, playing.speed)
    account, main = Account(NOBODY, protocol.DATA_URL), _main(contents, playing.feed)
    server = Server(main, account, local, clock, NoHistory(), remark, playing.budget, playing.login, playback)
    async with served(server, place(playing.port, playing.tls, playing.unix)) as url:
        yield Played(server, url, Keys(key=local.key, secret=local.secret), playback, playing, remark, sent)


def _described(contents: Contents) -> str:
    streams = ", ".join(sorted(contents.streams)) or "no messages"
    first, last = (f"{at:%Y-%m-%d %H:%M:%S}" for at in (contents.first, contents.last))
    return f"{contents.path} has {streams} from {first} to {last} UTC"


def _main(contents: Contents, feed: str) -> Endpoint:
    """Return the stream of stocks that is served: the one that was asked for, or else the one that there is."""
    from feeds.alpaca.stream import endpoint
    from feeds.alpaca.subscriptions import ENDPOINTS

    asked = endpoint(feed, crypto=False)
    there = [each for each in ENDPOINTS if each.stream == "data" and each.path in contents.streams]
    return asked if asked in there or not there else there[0]


class Player:
    """A recording as a context manager: it is served in a thread of its own until the block is left.

        with Player("monday.recording", speed=0) as player:
            stream = StockDataStream(player.key, player.secret, url_override=player.websocket + "/v2/iex")
            ...
            player.wait(60)

    The arguments are those of `Playing`. `remarks` are what an operator is told.
    """

    def __init__(self, path: str | Path, speed: float = 1.0, **playing: object) -> None:
        settings = Playing(path, speed, **playing)  # type: ignore[arg-type]
        self._is_sent, self._over = False, threading.Event()
        self._proxy = Proxy(opening=partial(self._opened, settings))

    def __enter__(self) -> Player:
        self._proxy.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._proxy.__exit__(kind, error, trace)

    @property
    def url(self) -> str:
        return self._proxy.url

    @property
    def websocket(self) -> str:
        """The URL for streams: ws:// in place of http://."""
        return self._proxy.websocket

    @property
    def key(self) -> str:
        return self._proxy.key

    @property
    def secret(self) -> str:
        return self._proxy.secret

    @property
    def remarks(self) -> list[str]:
        return self._proxy.remarks

    @property
    def finished(self) -> bool:
        """Whether all has been played, and has left for every client that is connected."""
        return self._is_sent

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until `finished`, or until it has ended for another reason, so long at the most; return which it is."""
        self._over.wait(seconds)
        return self._is_sent

    def figures(self) -> dict[str, dict[str, float]]:
        """Return each stream's figures by name, such as figures()["/v2/iex"]["clients"]."""
        return self._proxy.figures()

    @contextlib.asynccontextmanager
    async def _opened(self, playing: Playing, remark: Remark) -> AsyncIterator[Played]:
        try:
            async with played(playing, self._sent, remark) as player:
                yield player
        finally:
            self._over.set()

    def _sent(self) -> None:
        self._is_sent = True
        self._over.set()

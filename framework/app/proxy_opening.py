"""A proxy put together, and served in the running loop: settings in, an address out."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypedDict

from framework.errors import ConfigError

if TYPE_CHECKING:
    from brokers.alpaca.endpoint import Endpoint
    from brokers.alpaca.proxy.updates import OrderUpdates
    from feeds.alpaca.proxy.places import Place
    from feeds.alpaca.proxy.server import Proxy as Server
    from feeds.alpaca.waits import Waits
    from framework.config import Credentials
    from framework.live.transport import AioHttp
    from framework.ports import Clock

Remark = Callable[[str], None]
"""What is told what an operator wants to know."""

TlsFiles = tuple[str | Path, str | Path]
"""A certificate and its key, in PEM."""


class Keys(TypedDict):
    """What a local client shows."""

    key: str
    secret: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What a proxy serves. `limit` None is what the feed's usual plan has, 0 is any; `budget` is in bytes,
    `login` how many seconds a client has to say who it is, `record` the file in which everything that comes is kept.
    `account` is "paper" or "live": whose order updates.

    `key` and `secret` are the account's; left out, they are looked for as everywhere. With `tls`, the files of a
    certificate and its key in PEM, it is served as https and wss; with `unix` at a socket file and not at `port`.
    """

    feed: str = "iex"
    upstream: str | None = None
    port: int = 0
    limit: int | None = None
    budget: int = 4 << 20
    key: str | None = None
    secret: str | None = None
    waits: Waits | None = None
    login: float = 10.0
    account: str = "paper"
    record: str | Path | None = None
    tls: TlsFiles | None = None
    unix: str | Path | None = None


class Serving(Protocol):
    """What is served; `run` is what lets it go on."""

    @property
    def server(self) -> Server: ...

    @property
    def url(self) -> str: ...

    @property
    def keys(self) -> Keys: ...

    async def run(self) -> None: ...


Opening = Callable[[Remark], contextlib.AbstractAsyncContextManager[Serving]]
"""Serves until the block is left."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A proxy that is served."""

    server: Server
    url: str
    keys: Keys

    async def run(self) -> None:
        """Serve until cancelled."""
        await self.server.run()


@contextlib.asynccontextmanager
async def opened(settings: Settings, remark: Remark) -> AsyncIterator[Opened]:
    """Serve a proxy in the running loop until the block is left; raise `ConfigError` for what cannot be."""
    from brokers.alpaca.endpoint import Endpoint
    from feeds.address import address
    from feeds.alpaca import protocol
    from feeds.alpaca.plans import FREE
    from feeds.alpaca.proxy.account import Account
    from feeds.alpaca.proxy.recorder import recorded
    from feeds.alpaca.proxy.server import Proxy as Server
    from feeds.alpaca.proxy.server import served
    from feeds.alpaca.proxy.supply import Direct
    from feeds.alpaca.stream import endpoint
    from feeds.alpaca.waits import USUAL
    from framework.config import require_credentials
    from framework.live.transport import PATIENCE, AioHttp

    main = endpoint(settings.feed, crypto=False)
    base_url = address(settings.upstream, protocol.DATA_URL, "--upstream")
    given = (settings.key, settings.secret)
    credentials = require_credentials(protocol.SERVICE, protocol.VARIABLES, given)
    limit = (FREE.channels if settings.feed == "iex" else 0) if settings.limit is None else settings.limit
    account, local = Account(credentials, base_url, limit, settings.waits or USUAL), local_keys()
    clock = await _clock(base_url)
    patience = settings.waits.retries if settings.waits else PATIENCE
    record = None if settings.record is None else Path(settings.record)
    async with (
        AioHttp(protocol.NAME, clock, patience) as http,
        recorded(Direct(clock, http, account.waits.pace), record, clock, remark, credentials.hidden) as supply,
    ):
        updates = _updates(settings, Endpoint(_trading(settings), credentials), local, clock, http, remark)
        server = Server(
            main, account, local, clock, http, remark, settings.budget, settings.login, supply, (updates,)
        )  # fmt: skip
        async with served(server, place(settings.port, settings.tls, settings.unix)) as url:
            yield Opened(server, url, {"key": local.key, "secret": local.secret})


def place(port: int, tls: TlsFiles | None, unix: str | Path | None) -> Place:
    """Return where to serve; raise `ConfigError` for two places at once."""
    from feeds.alpaca.proxy.places import Place, Tls

    if tls and unix:
        raise ConfigError("--tls and --unix are two ways of which one is enough: nothing leaves this machine by a file")
    return Place(port, Tls(*map(Path, tls)) if tls else None, Path(unix) if unix else None)


def local_keys() -> Credentials:
    """Return what local clients show: made up at each start, unless it was set."""
    from feeds.alpaca.via import SERVICE, VARIABLES
    from framework.config import Credentials, find_credentials

    return find_credentials(SERVICE, VARIABLES) or Credentials("PX" + secrets.token_hex(9), secrets.token_urlsafe(24))


def _trading(settings: Settings) -> str:
    """Return where the account is: a sandbox has everything at one address."""
    from brokers.alpaca.endpoint import LIVE_URL, PAPER_URL
    from feeds.address import address

    return address(settings.upstream, LIVE_URL if settings.account == "live" else PAPER_URL, "--upstream")


def _updates(
    settings: Settings, endpoint: Endpoint, local: Credentials, clock: Clock, http: AioHttp, remark: Remark
) -> OrderUpdates:
    from brokers.alpaca.proxy.updates import OrderUpdates
    from framework.live.stream import Pace

    pace = settings.waits.pace if settings.waits else Pace()
    return OrderUpdates(endpoint, local, clock, http, remark, pace, settings.login, settings.budget)


async def _clock(base_url: str) -> Clock:
    """Return the clock of what is upstream: a sandbox has its own."""
    from framework.live.clock import WallClock
    from framework.live.lockstep import clock_told
    from framework.live.transport import AioHttp
    from framework.retries import Patience
    from framework.wire import is_on_this_machine

    wall = WallClock()
    if not is_on_this_machine(base_url):
        return wall
    async with AioHttp("sandbox", wall, Patience(attempts=1), limit=None) as http:
        try:
            return (await http.send(clock_told(base_url))).clock(wall)
        except ConfigError:
            return wall  # it is no sandbox, or one that is still to be started

"""Alpaca's bars as a `LiveSource`: stocks and crypto, history cached, in the hours asked for."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from feeds.address import address
from feeds.alpaca import protocol, stream, via
from feeds.alpaca.download import Access, Download, Series
from feeds.alpaca.feed import Feed, check_live
from feeds.cache import BarCache
from feeds.checks import check_range, symbol_list
from feeds.splits import warn_of_splits
from framework import config, when
from framework.calendar import Calendar, Hours
from framework.columns import Columns, joined
from framework.errors import ConfigError, Unsupported, nearest
from framework.model import Timeframe
from framework.ports import Emit, Session, Warmup
from framework.warmup import check_warmup, earlier
from framework.when import When
from framework.wire import is_on_this_machine

if TYPE_CHECKING:
    from framework.http import Http

Load = Callable[[datetime], dict[str, Columns]]

LOOKS = 7
"""How often warm-up looks for more bars, each time twice as far back."""

QUIET = 40
"""How many sessions back a symbol must be silent before there is taken to be nothing earlier."""


def _clock() -> datetime:
    return datetime.now(UTC)


def _transport() -> Http:
    from framework.http import Http

    return Http(protocol.NAME)


class AlpacaBars:
    """Bars of Alpaca's market data, as a `framework.ports.LiveSource`.

    `symbols` are stocks ("AAPL", "BRK.B"; calendar XNYS) or crypto pairs ("BTC/USD"; 24/7), not both.
    `start` and `end`: a day means the whole of it, in New York (crypto: UTC); `end` left out is now.
    Only bars that are over are returned. `timeframe`: "1Min" to "30Min" (what divides the half hour),
    "1Day"; crypto any minutes or hours. `feed`: "iex" (free), "sip" (all exchanges), "delayed_sip",
    "otc". `adjustment`: "split", "raw", "dividend", "spin-off", "all", or some of them with commas.
    `hours`: "regular" keeps the session, "extended" 04:00 to 20:00. `asof`: the day whose meaning
    the symbols have ("-" is no renaming).

    Live, bars of "1Min" come from feed "iex", "sip" (which needs a plan) or "test" (FAKEPACA, day and
    night, without a history), and of crypto. `channels` adds "quotes" and "trades" to them.

    Keys are `key` and `secret`, else APCA_API_KEY_ID and APCA_API_SECRET_KEY, else the credentials
    file; they are looked for when something must be downloaded, and the history of crypto needs none.

    `cache` is a folder, None for the usual one, False for none. A day is final, and kept, from 8 hours
    after its end; what is later is asked for each time. With each download the adjusted prices held
    are compared with Alpaca's, and fetched again where a split or a dividend has changed them.
    `base_url` is another server for everything. `proxy` is the address of a `switchback proxy` that all goes
    through, with its key and secret (SWITCHBACK_PROXY_KEY, SWITCHBACK_PROXY_SECRET) in place of the account's; left
    out, SWITCHBACK_PROXY names one, and False is none. `progress` None shows a bar for a long download in a
    terminal or a notebook. `now` tells the time, `http` makes the transport.
    """

    def __init__(
        self,
        symbols: str | Sequence[str],
        start: When = None,
        end: When = None,
        *,
        timeframe: str | Timeframe = "1Min",
        feed: str = "iex",
        adjustment: str = "split",
        hours: str = "regular",
        asof: str | date | None = None,
        key: str | None = None,
        secret: str | None = None,
        base_url: str | None = None,
        cache: str | Path | bool | None = None,
        progress: bool | None = None,
        now: Callable[[], datetime] = _clock,
        http: Callable[[], Http] | None = None,
        channels: str | Sequence[str] = ("bars",),
        proxy: via.Given = None,
    ) -> None:
        self.symbols = symbol_list(symbols)
        self._crypto = protocol.is_crypto(self.symbols)
        self.timeframe = Timeframe.parse(timeframe)
        self.calendar = _calendar(hours, feed, crypto=self._crypto)
        protocol.check_timeframe(self.timeframe, crypto=self._crypto, hours=self.calendar.hours)
        protocol.check_feed(feed, self.symbols)
        self.feed = feed
        self.channels = protocol.check_channels((channels,) if isinstance(channels, str) else channels)
        self.adjustment = protocol.check_adjustment(adjustment)
        self.asof = _asof(asof)
        self.start = when.parse(start, self.calendar.zone)
        self.end = when.parse(end, self.calendar.zone, is_end=True, name="end")
        check_range(self.start, self.end)
        self._given = (key, secret)
        self._base_url = address(base_url, protocol.DATA_URL)
        via.check(proxy)
        self._proxy = proxy
        self._cache = cache
        self._progress = progress
        self._now = now
        self._http = http or _transport

    def __repr__(self) -> str:
        start, end = (str(at) if at else None for at in (self.start, self.end))
        return f"AlpacaBars({list(self.symbols)}, {start=}, {end=}, timeframe='{self.timeframe}', feed='{self.feed}')"

    def fetch(self) -> Mapping[str, int]:
        """Download what the cache lacks of the range, and return each symbol's number of bars in it."""
        if self._cache is False:
            raise ConfigError("fetch() fills the cache, but cache is False; leave cache out, or name a folder")
        return {symbol: len(bars) for symbol, bars in self.history().items()}

    def history(self, warmup: Warmup = 0) -> Mapping[str, Columns]:
        """Return each symbol's bars with `start` < end <= `end`, and `warmup` bars or time before.

        Where Alpaca has less than `warmup` bars before, what there is comes. Raise `ConfigError` for
        a symbol without bars, `AuthenticationError`, `RateLimited`, `ConnectionLost` or `ProtocolError`.
        """
        start, until = self._range()
        with self._opened_cache(is_kept=self._cache is not False) as cache:
            found = self._look(cache, start, until, warmup)
        if self.adjustment == "raw" and not self._crypto:
            for symbol, bars in found.items():
                warn_of_splits(symbol, bars, self.calendar, stacklevel=2)
        return found

    @property
    def base_url(self) -> str:
        """The server's address: Alpaca's own, or another for everything."""
        return self._series.base_url

    @property
    def secrets(self) -> tuple[str, ...]:
        """Key and secret. Raise `ConfigError` where there are none, `Unsupported` where these bars do not come live."""
        feed = self.live
        return feed.credentials.key, feed.credentials.secret

    @property
    def is_proxied(self) -> bool:
        """Whether a proxy is named, here or by SWITCHBACK_PROXY."""
        return via.is_named(self._proxy)

    @property
    def live(self) -> Feed:
        """What is listened to; raise as `secrets` does."""
        check_live(self.timeframe)
        endpoint = stream.endpoint(self.feed, crypto=self._crypto)
        return Feed(endpoint, self._series, self.symbols, self.channels, self._access())

    def before(self, at: datetime, warmup: Warmup) -> Mapping[str, Columns]:
        """Return each symbol's last bars that had ended by `at`: a number of them, or a span of time.

        A symbol without any has no bars in it. Days that were not final by `at` are asked for afresh, and a
        server on this machine is, where no `cache` is named. Raise as `history` does.
        """
        none = {symbol: Columns.empty() for symbol in self.symbols}
        if self.feed == protocol.TEST or not check_warmup(warmup):
            return none
        with (
            self._opened_cache(is_kept=self._is_kept) as cache,
            Download(self._series, cache, self._http, lambda: min(self._now(), at), self._progress) as download,
        ):
            loaded = self._loaded(download, at, at, warmup)
        return {symbol: earlier(bars, at, warmup) for symbol, bars in loaded.items()}

    async def listen(self, session: Session, emit: Emit, since: Mapping[str, datetime]) -> None:
        """Emit every bar that ends after `since` (by symbol), and what else `channels` has: see `LiveSource`.

        Raise `AuthenticationError`, or what else waiting cannot cure.
        """
        from feeds.alpaca.listening import Listening

        await Listening(self.live, session, emit, since).run()

    def access(self) -> Access:
        """Return the way to the server for requests; raise `ConfigError` where keys are missing."""
        return self._series.access()

    def transport(self) -> Http:
        """Return what requests are sent with, outside of a session."""
        return self._http()

    def _access(self) -> Access:
        """Return the way to the streams, which let nobody in without keys."""
        if (found := self._series.access()).proxy is not None:
            return found
        return Access(found.url, config.require_credentials(protocol.SERVICE, protocol.VARIABLES, self._given))

    @property
    def _is_kept(self) -> bool:
        """Whether bars are kept in the cache: each sandbox has its own, and perhaps the address of another."""
        return self._cache is not False and not (self._cache is None and is_on_this_machine(self.base_url))

    def _range(self) -> tuple[datetime, datetime]:
        if self.feed == protocol.TEST:
            raise Unsupported(f'feed "{protocol.TEST}" is a live stream without a history; try feed="iex"')
        if self.start is None:
            raise ConfigError('AlpacaBars needs a start for its history; try start="2026-01-05"')
        now = self._now()
        if self.start >= now:
            raise ConfigError(
                f"start {when.text(self.start)} lies ahead of now, {when.text(now)}; try an earlier start"
            )
        return self.start, now if self.end is None else min(self.end, now)

    def _look(self, cache: BarCache, start: datetime, until: datetime, warmup: Warmup) -> dict[str, Columns]:
        latest = until if self.end is None else None
        check_warmup(warmup)
        with Download(self._series, cache, self._http, self._now, self._progress, latest) as download:
            loaded = self._loaded(download, start, until, warmup)
        after = {symbol: bars.between(start, None) for symbol, bars in loaded.items()}
        found = {symbol: joined([earlier(loaded[symbol], start, warmup), after[symbol]]) for symbol in loaded}
        for symbol in found:
            if not len(after[symbol]):
                cache.forget_empty(symbol)
                raise self._not_found(symbol, start, until)
        return found

    def _loaded(self, download: Download, start: datetime, until: datetime, warmup: Warmup) -> dict[str, Columns]:
        """Return the bars up to `until`, from before `start` what a warm-up needs, or more."""

        def load(first: datetime) -> dict[str, Columns]:
            return {s: self._inside(bars) for s, bars in download.load(self.symbols, first, until).items()}

        return load(start - warmup) if isinstance(warmup, timedelta) else self._look_back(load, start, warmup)

    def _look_back(self, load: Load, start: datetime, warmup: int) -> dict[str, Columns]:
        """Load from further and further back, until each symbol has its warm-up or nothing more is found."""
        if not warmup:
            return load(start)
        sessions = math.ceil(warmup / self._bars_a_session)
        loaded = load(self._sessions_before(start, sessions))
        for _ in range(LOOKS):
            short = [s for s, bars in loaded.items() if len(bars.between(None, start)) < warmup]
            sessions = max(2 * sessions, 5)
            more = load(self._sessions_before(start, sessions)) if short else loaded
            if not short or (sessions >= QUIET and not any(len(more[s]) > len(loaded[s]) for s in short)):
                return more
            loaded = more
        return loaded

    def _not_found(self, symbol: str, start: datetime, until: datetime) -> ConfigError:
        what = "crypto" if self._crypto else f"feed {self.feed}, {self.calendar.hours.value} hours"
        return ConfigError(
            f"no bars for {symbol} from {when.text(start)} to {when.text(until)} ({self.timeframe}, {what}); "
            "check the spelling, and that it traded then"
        )

    @property
    def _bars_a_session(self) -> int:
        """How many bars a session has at the most."""
        if self.timeframe.length is None:
            return 1
        hours = 24 if self._crypto else {Hours.REGULAR: 6.5, Hours.EXTENDED: 16}[self.calendar.hours]
        return max(1, int(timedelta(hours=hours) / self.timeframe.length))

    def _sessions_before(self, start: datetime, sessions: int) -> datetime:
        """Return the midnight that begins the session so many sessions before the day of `start`."""
        days = self.calendar.sessions.days
        day = np.datetime64(start.astimezone(self.calendar.zone).date())
        at = max(int(np.searchsorted(days, day)) - sessions, 0)
        return self.calendar.midnight(days[at].item())

    def _inside(self, bars: Columns) -> Columns:
        """Return the bars of the hours asked for; the cache keeps all of them."""
        if self.timeframe.length is None or self._crypto:
            return bars
        return bars[self.calendar.is_inside(bars.end, self.timeframe.length)]

    @contextlib.contextmanager
    def _opened_cache(self, *, is_kept: bool) -> Iterator[BarCache]:
        with self._folder(is_kept=is_kept) as folder:
            try:
                yield BarCache(folder, self.calendar.midnight)
            except OSError as error:
                raise ConfigError(
                    f"the bar cache in {folder} cannot be used ({error}); try cache= another folder, or cache=False"
                ) from error

    @contextlib.contextmanager
    def _folder(self, *, is_kept: bool) -> Iterator[Path]:
        """Give the series' folder; without a cache one that lives as long as the download."""
        if not is_kept:
            with TemporaryDirectory(prefix="switchback-") as folder:
                yield Path(folder)
        else:
            root = config.cache_folder() if self._cache in (None, True) else Path(str(self._cache)).expanduser()
            yield root.joinpath("bars", *self._series.folder)

    @property
    def _series(self) -> Series:
        return Series(
            timeframe=self.timeframe,
            calendar=self.calendar,
            crypto=self._crypto,
            feed=self.feed,
            adjustment=self.adjustment,
            asof=self.asof,
            base_url=self._base_url,
            given=self._given,
            proxy=self._proxy,
        )


def _calendar(hours: str, feed: str, *, crypto: bool) -> Calendar:
    choices = [each.value for each in (Hours.REGULAR, Hours.EXTENDED)]
    if hours not in choices:
        raise ConfigError(f"hours {hours!r} is not known{nearest(hours, choices)}; try regular or extended")
    if crypto and hours != "regular":
        raise ConfigError(f"hours {hours!r} makes no sense for crypto, which trades at all hours; leave out hours")
    return Calendar("24/7") if crypto or feed == protocol.TEST else Calendar("XNYS", Hours(hours))


def _asof(asof: str | date | None) -> str | None:
    if asof is None or isinstance(asof, date):
        return None if asof is None else f"{asof:%Y-%m-%d}"
    try:
        return asof if asof == "-" else str(date.fromisoformat(asof))
    except ValueError:
        raise ConfigError(f'asof {asof!r} is not a day; try asof="2026-01-05", or "-" for no renaming') from None

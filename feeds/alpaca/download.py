"""One series of Alpaca's bars, downloaded: what tells it from others, its keys, its transport, its progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import quote

from feeds.alpaca import via
from feeds.alpaca.protocol import DATA_URL, NAME, SERVICE, VARIABLES, Answer, BarsQuery, Page, bars_exchange
from feeds.cache import BarCache
from feeds.fetch import Fetch
from feeds.progress import ProgressBar
from feeds.spans import Span
from framework import config
from framework.calendar import Calendar
from framework.columns import Columns
from framework.config import Credentials
from framework.model import Timeframe
from framework.wire import is_on_this_machine

if TYPE_CHECKING:
    from framework.http import Http


@dataclass(frozen=True, slots=True)
class Access:
    """Where requests go, and the keys that they carry: the server's, or those of the proxy before it."""

    url: str
    credentials: Credentials | None = field(repr=False)
    proxy: via.Via | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """What kind of bars: everything of a query but the symbols and the range.

    `given` is key and secret, `proxy` what the user says of one.
    """

    timeframe: Timeframe
    calendar: Calendar
    crypto: bool
    feed: str
    adjustment: str
    asof: str | None
    base_url: str
    given: tuple[str | None, str | None] = field(repr=False)
    proxy: via.Given = field(default=False, repr=False)

    @property
    def folder(self) -> tuple[str, ...]:
        """The path in the cache that only these bars have: those of another server are not Alpaca's."""
        source = SERVICE if self.base_url == DATA_URL else f"{SERVICE}@{self.base_url.partition('://')[2]}"
        if self.crypto:
            parts = [source, "crypto", str(self.timeframe)]
        else:
            parts = [source, self.feed, str(self.timeframe), self.adjustment, self.asof or "latest"]
        return tuple(quote(part, safe=",@") for part in parts)

    @property
    def bars_a_day(self) -> int:
        """How many bars a day has at the most: 16 hours for stocks, whatever hours are kept afterwards."""
        hours = timedelta(hours=24 if self.crypto else 16)
        return 1 if self.timeframe.length is None else max(1, int(hours / self.timeframe.length))

    def access(self) -> Access:
        """Return the way to the server. Raise `ConfigError` where keys are missing."""
        if (proxy := via.via(self.proxy)) is not None:
            return Access(proxy.url, proxy.credentials, proxy)
        return Access(self.base_url, self._credentials())

    def _credentials(self) -> Credentials | None:
        """Return the keys; crypto, and a server on this machine, may do without."""
        if self.crypto or is_on_this_machine(self.base_url):
            return config.find_credentials(SERVICE, VARIABLES, self.given)
        return config.require_credentials(SERVICE, VARIABLES, self.given)

    def query(
        self,
        symbols: Sequence[str],
        after: datetime,
        until: datetime,
        *,
        to_latest: bool,
        access: Access,
    ) -> BarsQuery:
        """Return the query for the bars of `symbols` with `after` < end <= `until`."""
        return BarsQuery(
            symbols=tuple(symbols),
            timeframe=self.timeframe,
            calendar=self.calendar,
            after=after,
            until=until,
            crypto=self.crypto,
            feed=self.feed,
            adjustment=self.adjustment,
            asof=self.asof,
            to_latest=to_latest,
            base_url=access.url,
            credentials=access.credentials,
        )


class Download:
    """Loads bars of a series through the cache. Connects, and looks for keys, when something is missing there.

    `latest` is the instant that stands for "as late as there is", where no end was asked for.
    """

    def __init__(
        self,
        series: Series,
        cache: BarCache,
        connect: Callable[[], Http],
        now: Callable[[], datetime],
        progress: bool | None,
        latest: datetime | None = None,
    ) -> None:
        self._series = series
        self._latest = latest
        self._connect = connect
        self._connected: tuple[Http, Access] | None = None
        self._bar = ProgressBar(f"bars from {NAME}", progress)
        self._piece = (0, 1)
        self._fetch = Fetch(
            name=NAME,
            cache=cache,
            ask=self._ask,
            calendar=series.calendar,
            adjusted=not series.crypto and series.adjustment != "raw",
            bars_a_day=series.bars_a_day,
            now=now,
            on_piece=self._begin_piece,
        )

    def __enter__(self) -> Download:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.close()
        if self._connected is not None:
            self._connected[0].close()

    def load(self, symbols: Sequence[str], first: datetime, until: datetime) -> dict[str, Columns]:
        """Return the bars of all days from that of `first`, ended by `until`: more than asked for, at the beginning."""
        zone = self._series.calendar.zone
        last = until - timedelta(microseconds=1)
        span = Span(first.astimezone(zone).date(), last.astimezone(zone).date())
        return self._fetch.load(symbols, span, until)

    def _ask(self, symbols: Sequence[str], after: datetime, until: datetime) -> Answer:
        http, access = self._connected or self._opened()
        query = self._series.query(symbols, after, until, to_latest=until == self._latest, access=access)
        return http.send(bars_exchange(query, lambda page: self._report(query, page)))

    def _opened(self) -> tuple[Http, Access]:
        """Connect; a proxy is first asked whose data it has, for what comes is kept as this server's."""
        access = self._series.access()
        self._connected = http, access = self._connect(), access
        if access.proxy is not None:
            http.send(via.data_checked(access.proxy, self._series.base_url))
        return http, access

    def _begin_piece(self, number: int, of: int) -> None:
        self._piece = number, of

    def _report(self, query: BarsQuery, page: Page) -> None:
        """Report how far a download is; one that has a single page is over before there is anything to show."""
        number, of = self._piece
        if page.is_last and of == 1:
            return
        share = 1.0 if page.is_last else _share(query, page)
        self._bar.report((number + share) / of, page.symbol or "")


def _share(query: BarsQuery, page: Page) -> float:
    """Return which share of a query's bars has come: they come by symbol, then by time."""
    if page.symbol is None or page.end is None:
        return 0.0
    within = (page.end - query.after) / (query.until - query.after)
    return (sorted(query.symbols).index(page.symbol) + min(max(within, 0.0), 1.0)) / len(query.symbols)

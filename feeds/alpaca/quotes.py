"""Alpaca's quotes as a source: looked at so often, live and in a backtest over the quotes that Alpaca keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from feeds.alpaca import protocol, via
from feeds.alpaca.quote_pages import QuotesQuery, latest_exchange, quotes_exchange
from feeds.alpaca.source import AlpacaBars
from feeds.quotes import seconds
from framework.calendar import Calendar
from framework.columns import Columns
from framework.errors import ConfigError, SwitchbackError
from framework.model import Bar, Link, Remark, Revision, Timeframe
from framework.ports import Emit, News, Session, Warmup
from framework.quoting import Beats, Quotes, mids, seconds_timeframe
from framework.when import When

if TYPE_CHECKING:
    from feeds.alpaca.download import Access
    from framework.http import Http


_OF_BARS = (Bar, Revision)


def _clock() -> datetime:
    return datetime.now(UTC)


class AlpacaQuotes:
    """Bid and ask of Alpaca's market data, as a `framework.ports.QuoteSource` that also goes on live.

    A run sees what stands every so many seconds (`every`), with its age, while the market is open: feeds with the
    lines `bid`, `ask` and `age` (`framework.engine.quote_data.QuoteData`), and one named "clock". `symbols` are stocks
    or crypto pairs. `start` and `end` are a backtest's: the quotes that Alpaca keeps are fetched each time, and there
    are many (a day of a liquid stock has some 100,000 at IEX, ten requests). `feed`, `hours`, `key`, `secret`,
    `base_url`, `proxy`, `now` and `http` are as in `AlpacaBars`.

    Live, one connection brings the quotes; when it comes up, also again, the quotes that stand are asked for, so that
    a quiet symbol has one too. A quote without a bid or an ask is left out: the one before it grows old.
    """

    def __init__(
        self,
        symbols: str | Sequence[str],
        start: When = None,
        end: When = None,
        *,
        every: float | timedelta = 1.0,
        feed: str = "iex",
        hours: str = "regular",
        key: str | None = None,
        secret: str | None = None,
        base_url: str | None = None,
        now: Callable[[], datetime] = _clock,
        http: Callable[[], Http] | None = None,
        proxy: via.Given = None,
    ) -> None:
        channels = ("bars", "quotes")  # that bars come shows that a line is alive
        self._bars = AlpacaBars(
            symbols, start, end, feed=feed, hours=hours, key=key, secret=secret, base_url=base_url,
            now=now, http=http, proxy=proxy, channels=channels,
        )  # fmt: skip
        self._now = now
        self.beats = Beats(seconds(every), self._bars.calendar)

    def __repr__(self) -> str:
        every = self.beats.every.total_seconds()
        return f"AlpacaQuotes({list(self.symbols)}, every={every:g}, feed='{self._bars.feed}')"

    @property
    def symbols(self) -> tuple[str, ...]:
        return self._bars.symbols

    @property
    def timeframe(self) -> Timeframe:
        return seconds_timeframe(self.beats.every)

    @property
    def calendar(self) -> Calendar:
        return self._bars.calendar

    @property
    def start(self) -> datetime | None:
        return self._bars.start

    @property
    def end(self) -> datetime | None:
        return self._bars.end

    @property
    def base_url(self) -> str:
        """The server's address: Alpaca's own, or another for everything."""
        return self._bars.base_url

    @property
    def secrets(self) -> tuple[str, ...]:
        """Key and secret. Raise `ConfigError` where there are none."""
        return self._bars.secrets

    @property
    def is_proxied(self) -> bool:
        """Whether a proxy is named, here or by SWITCHBACK_PROXY."""
        return self._bars.is_proxied

    def quoted(self) -> Mapping[str, Quotes]:
        """Fetch the quotes of the range. Raise `ConfigError`, or what else `AlpacaBars.history` raises."""
        start, end = self.start, self._now() if self.end is None else min(self.end, self._now())
        if start is None or start >= end:
            raise ConfigError('AlpacaQuotes needs a start in the past for its history; try start="2026-01-05"')
        access = self._bars.access()
        with self._bars.transport() as http:
            if access.proxy is not None:
                http.send(via.data_checked(access.proxy, self.base_url))
            return http.send(quotes_exchange(self._query(access, start, end)))

    def history(self, warmup: Warmup = 0) -> Mapping[str, Columns]:
        """Return the middle between bid and ask at each look; there is nothing before the start."""
        return mids(self.quoted(), self.beats)

    def before(self, at: datetime, warmup: Warmup) -> Mapping[str, Columns]:
        """Return nothing: a session on quotes begins with the quotes that stand."""
        return {symbol: Columns.empty() for symbol in self.symbols}

    async def listen(self, session: Session, emit: Emit, since: Mapping[str, datetime]) -> None:
        """Emit every quote until cancelled, and a `Link` for each change; raise as `AlpacaBars.listen` does."""
        asked: set[asyncio.Task[None]] = set()

        def heard(news: News) -> None:
            if isinstance(news, Link) and news.is_up:
                asked.add(task := asyncio.create_task(self._latest(session, emit)))
                task.add_done_callback(asked.discard)
            if not isinstance(news, _OF_BARS):
                emit(news)

        await self._latest(session, emit)
        await self._bars.listen(session, heard, since)

    async def _latest(self, session: Session, emit: Emit) -> None:
        """Emit the quotes that stand."""
        now = session.clock.now()
        try:
            found = await session.http.send(latest_exchange(self._query(self._bars.access(), now, now)))
        except SwitchbackError as error:
            return emit(Remark(f"the quotes that stand could not be asked for, they come as they change: {error}"))
        for quote in found:
            emit(quote)
        return None

    def _query(self, access: Access, start: datetime, end: datetime) -> QuotesQuery:
        crypto = protocol.is_crypto(self.symbols)
        return QuotesQuery(
            self.symbols, start, end, crypto, self._bars.feed, base_url=access.url, credentials=access.credentials
        )

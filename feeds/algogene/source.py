"""ALGOGENE's bars as a `LiveSource`: history in pages, and live minutes built from the price socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from feeds.address import address
from feeds.algogene.history import history, interval
from feeds.algogene.naming import NAME, SERVICE, VARIABLES
from feeds.algogene.protocol import BASE_URL, Session
from feeds.checks import check_range, symbol_list
from framework import when
from framework.calendar import Calendar
from framework.columns import Columns, joined
from framework.config import Credentials, require_credentials
from framework.errors import ConfigError, Unsupported
from framework.model import MINUTE, Timeframe
from framework.ports import Emit, Warmup
from framework.ports import Session as LiveSession
from framework.warmup import check_warmup
from framework.when import When

if TYPE_CHECKING:
    from framework.http import Http


def _clock() -> datetime:
    return datetime.now(UTC)


def _transport() -> Http:
    from framework.http import Http

    return Http(NAME)


class AlgogeneBars:
    """Bars of ALGOGENE's market data, as a `framework.ports.LiveSource`.

    `symbols` are ALGOGENE's names ("BTCUSD", "EURUSD"). `start` and `end`: a day means the whole of it, in the
    calendar's zone; `end` left out is now. Only bars that are over are returned. `timeframe`: "1Min" to "30Min",
    "1Hour" to "12Hour", "1Day"; live, "1Min".

    `calendar` says when the symbols trade: "24/7" is right for coins. ALGOGENE tells no hours, so for anything else
    name the exchange's ("XNYS" for American shares, "24/5" for currencies and metals); all symbols of one source share
    it, and bars outside of it are left out.

    Live, minutes are made of the middle prices of the quotes of one broker, `broker` or the first that is heard of a
    symbol; what the socket leaves out is asked of history, and a symbol whose quotes stand still counts as halted.

    Credentials are `user` and `api_key`, else ALGOGENE_USER and ALGOGENE_API_KEY, else the credentials file; they are
    looked for when something is asked for. `accountid` is for orders: prices need none, and it is taken so that source
    and venue can be given the same. `base_url` is another server. `now` tells the time, `http` makes the transport.
    """

    def __init__(
        self,
        symbols: str | Sequence[str],
        start: When = None,
        end: When = None,
        *,
        timeframe: str | Timeframe = "1Min",
        calendar: str = "24/7",
        broker: str = "",
        user: str | None = None,
        api_key: str | None = None,
        accountid: str | None = None,
        base_url: str | None = None,
        now: Callable[[], datetime] = _clock,
        http: Callable[[], Http] | None = None,
    ) -> None:
        self.symbols = symbol_list(symbols)
        self.timeframe = Timeframe.parse(timeframe)
        interval(self.timeframe)
        self.calendar = Calendar(calendar)
        self.broker = broker
        self.start = when.parse(start, self.calendar.zone)
        self.end = when.parse(end, self.calendar.zone, is_end=True, name="end")
        check_range(self.start, self.end)
        self._given = (user, api_key)
        self._base_url = address(base_url, BASE_URL)
        self._now, self._http = now, http or _transport

    def __repr__(self) -> str:
        start, end = (str(at) if at else None for at in (self.start, self.end))
        return f"AlgogeneBars({list(self.symbols)}, {start=}, {end=}, timeframe='{self.timeframe}')"

    @property
    def base_url(self) -> str:
        """The server's address: ALGOGENE's own, or another."""
        return self._base_url

    @property
    def secrets(self) -> tuple[str, ...]:
        """User and API key. Raise `ConfigError` where there are none, `Unsupported` where the bars do not come live."""
        if self.timeframe != MINUTE:
            raise Unsupported(
                f"live bars of {NAME} are of 1Min, not {self.timeframe}; let the run make the longer ones, timeframes="
            )
        found = self.credentials
        return found.key, found.secret

    @property
    def credentials(self) -> Credentials:
        """User (as the key) and API key (as the secret). Raise `ConfigError` where there are none."""
        return require_credentials(SERVICE, VARIABLES, self._given)

    def history(self, warmup: Warmup = 0) -> Mapping[str, Columns]:
        """Return each symbol's bars with `start` < end <= `end`, and `warmup` bars or time before.

        A thousand bars are one request, and nothing is kept: a year of minutes takes some minutes. Raise `ConfigError`
        for a symbol without bars, `AuthenticationError`, `RateLimited`, `ConnectionLost` or `ProtocolError`.
        """
        start, until = self._range()
        found = self._loaded(start, until)
        for symbol, bars in found.items():
            if not len(bars):
                raise ConfigError(
                    f"no bars for {symbol} from {when.text(start)} to {when.text(until)} ({self.timeframe}); "
                    "check the spelling, such as BTCUSD, and that it traded then"
                )
        earlier = self.before(start, warmup)
        return {symbol: joined([earlier[symbol], bars]) for symbol, bars in found.items()}

    def before(self, at: datetime, warmup: Warmup) -> Mapping[str, Columns]:
        """Return each symbol's last bars that had ended by `at`: a number of them, or a span of time.

        A symbol without any has no bars in it. Blocks; raise as `history` does.
        """
        if not check_warmup(warmup):
            return {symbol: Columns.empty() for symbol in self.symbols}
        if isinstance(warmup, timedelta):
            return self._loaded(at - warmup, at)
        return self._loaded(None, at, warmup)

    async def listen(self, session: LiveSession, emit: Emit, since: Mapping[str, datetime]) -> None:
        """Emit every bar that ends after `since` (by symbol): see `LiveSource`.

        Raise `AuthenticationError`, or what else waiting cannot cure.
        """
        from feeds.algogene.listening import Listening

        await Listening(self, session, emit, since).run()

    def inside(self, bars: Columns) -> Columns:
        """Return the bars of the calendar's hours."""
        if self.timeframe.length is None or self.calendar.name == "24/7":
            return bars
        return bars[self.calendar.is_inside(bars.end, self.timeframe.length)]

    def _range(self) -> tuple[datetime, datetime]:
        if self.start is None:
            raise ConfigError('AlgogeneBars needs a start for its history; try start="2026-01-05"')
        now = self._now()
        if self.start >= now:
            raise ConfigError(
                f"start {when.text(self.start)} lies ahead of now, {when.text(now)}; try an earlier start"
            )
        return self.start, now if self.end is None else min(self.end, now)

    def _loaded(self, since: datetime | None, until: datetime, most: int | None = None) -> dict[str, Columns]:
        """Return the bars of the calendar's hours up to `until`: those after `since`, or the last `most`."""
        login = Session(self.credentials, lambda: 0.0, self._base_url)  # prices need no token
        found: dict[str, Columns] = {}
        with self._http() as http:
            for symbol in self.symbols:
                asked = most
                while True:
                    bars = http.send(history(login, symbol, self.timeframe, since, until, asked))
                    found[symbol] = self.inside(bars)
                    if most is None or asked is None or len(found[symbol]) >= most or len(bars) < asked:
                        break
                    asked *= 2  # some lay outside of the hours
                if most is not None:
                    found[symbol] = found[symbol][max(len(found[symbol]) - most, 0) :]
        return found

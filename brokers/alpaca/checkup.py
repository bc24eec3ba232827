"""What is asked of Alpaca's trading side before a start: keys, account, clock, calendar, symbols, order stream."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from brokers.alpaca.closing import NEW_YORK
from brokers.alpaca.lookups import Account, Asset, MarketClock, TradingDay, account, calendar, clock
from brokers.alpaca.protocol import is_crypto
from brokers.alpaca.stream import IN_USE, OrderStream
from brokers.alpaca.venue import AlpacaVenue
from brokers.alpaca.via import account_checked
from feeds.alpaca.protocol import NAME, TEST_SYMBOL
from framework.calendar import Calendar
from framework.columns import moment
from framework.http import Http
from framework.live.checkup import PATIENCE, Answer, Check, no, refused, skipped, warning, yes
from framework.live.knock import knock
from framework.retries import Patience
from framework.wire import Exchange, is_on_this_machine

T = TypeVar("T")

CLOSE_ENOUGH, TOO_FAR = 1.0, 5.0
"""Seconds that two clocks may be apart: below the first all is well, beyond the second nothing is."""

AHEAD = timedelta(days=14)
"""How far the calendars are compared."""

OTHERS = "end the other session or program that follows this account's orders; after a broken connection wait for 90 s"

Hours = Mapping[date, tuple[datetime, datetime]]
"""When each session opens and closes, aware UTC."""


class AccountCheckup:
    """The checks of one account. `now` is venue time, `is_own_time` whether that is a sandbox's own.

    Each asks for itself and is called by one thread at a time; the account is asked for once.
    """

    def __init__(
        self,
        venue: AlpacaVenue,
        symbols: Sequence[str],
        now: Callable[[], datetime],
        *,
        is_own_time: bool = False,
        patience: Patience = PATIENCE,
    ) -> None:
        self.venue, self.symbols, self.patience = venue, symbols, patience
        self._now, self._is_own_time = now, is_own_time

    def checks(self) -> tuple[Check, ...]:
        """Return the checks; where time is a sandbox's own, a check named "sandbox" comes before them."""
        ours = ("sandbox", "keys", "account")
        return (
            Check("keys", self.keys),
            Check("account", lambda: account_told(self.account, self._money), needs=("sandbox", "keys")),
            *((Check("order proxy", self.proxy, needs=ours),) if self.venue.is_proxied else ()),
            Check("clock", self.clock, needs=ours),
            Check("calendar", self.calendar, needs=ours),
            Check("symbols", self.assets, needs=ours, seconds=60.0),
        )

    def stream(self, seconds: float = 8.0) -> Check:
        """Return the check of the order stream: it takes the account's one connection, and gives it back."""
        return Check("order stream", lambda: self.knock(seconds), needs=("account",), disturbs=True)

    @functools.cached_property
    def account(self) -> Account:
        """The account. Raise `VenueError`, or `ConfigError` where there are no keys."""
        return self._asked(account(self.venue.endpoint, self._now()))

    @property
    def number(self) -> str:
        """The account's number, empty where it has not been asked for or was not to be had."""
        found: Account | None = vars(self).get("account")
        return found.snapshot.account if found else ""

    def keys(self) -> Answer:
        """Say where the keys come from."""
        return yes(f"found {self.venue.endpoint.credentials.where}")

    def proxy(self) -> Answer:
        """Say whether the proxy hears of this account."""
        endpoint = self.venue.endpoint
        assert endpoint.proxy is not None
        self._asked(account_checked(endpoint.proxy, endpoint.base_url, self.number))
        return yes(f"{endpoint.proxy.url} hears of this account's orders")

    def clock(self) -> Answer:
        """Compare this machine's clock with the venue's."""
        if self._is_own_time:
            return yes(f"the sandbox keeps its own time, {_minute(self._now())} in New York")
        endpoint = self.venue.endpoint
        with Http(NAME, self._impatient) as http:
            # The first opens the connection, the second tells the time.
            readings = [_read(http, clock(endpoint)) for _ in range(2)]
        return clock_told(min(readings, key=lambda each: each.took))

    def calendar(self) -> Answer:
        """Compare the library's sessions with the venue's."""
        if self.symbols and (is_crypto(self.symbols[0]) or self.symbols[0] == TEST_SYMBOL):
            return yes("open at all hours")
        at = self._now()
        first = at.astimezone(NEW_YORK).date()
        last = first + AHEAD
        return calendar_told(
            _library(first, last), _venues(self._asked(calendar(self.venue.endpoint, first, last))), at
        )

    def assets(self) -> Answer:
        """Say whether every symbol may be traded, and how."""
        if not self.symbols:
            return skipped("give --symbols AAPL,TSLA")
        if TEST_SYMBOL in self.symbols:
            return skipped(f"{TEST_SYMBOL} is traded nowhere")
        return assets_told(self.venue.check(self.symbols, self.patience))

    def knock(self, seconds: float) -> Answer:
        """Say whether the order stream lets us in."""
        why = knock(NAME, OrderStream(self.venue.endpoint), lambda _: "", seconds)
        if not why:
            return yes("let us in, and is free again")
        return no(f"{NAME}: {IN_USE} (406)", OTHERS) if IN_USE in why else refused(why)

    @property
    def _impatient(self) -> Patience:
        """Once only: an answer that was asked for twice tells no time."""
        return Patience(1, self.patience.connect, self.patience.read, self.patience.whole)

    @property
    def _money(self) -> str:
        if is_on_this_machine(self.venue.base_url):
            return "sandbox"
        return "REAL MONEY" if self.venue.is_real else "paper"

    def _asked(self, exchange: Exchange[T]) -> T:
        with Http(NAME, self.patience) as http:
            return http.send(exchange)


def account_told(found: Account, money: str) -> Answer:
    """Say what an account may do; `money` is what kind it is."""
    held = found.snapshot
    ends = f"the {money} account that ends in {held.account[-4:]}"
    if found.bar:
        return no(f"{ends} cannot trade: {found.bar}", "log in at Alpaca to see why, or use another account's keys")
    figures = f"cash {held.cash:,.2f} {held.currency}, buying power {held.buying_power:,.2f}"
    if held.buying_power <= 0:
        return warning(f"{ends} has nothing to buy with: {figures}", "put money in, or close what it holds")
    holds = f"{_count(len(held.positions), 'position')}, {_count(len(held.open_orders), 'open order')}"
    may = f"{'may' if found.can_short else 'may not'} sell short, crypto {found.crypto.lower() or 'unknown'}"
    return yes(f"{ends}: {figures}; {holds}; {may}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What the venue's clock said (`told`, aware), what ours said halfway (`ours`), and how many seconds it took."""

    told: datetime
    ours: datetime
    took: float


def clock_told(reading: Reading) -> Answer:
    """Say how far this machine's clock is from the venue's."""
    ahead = (reading.ours - reading.told).total_seconds()
    if abs(ahead) < CLOSE_ENOUGH:
        return yes(f"within {max(abs(ahead), reading.took / 2):.2f} s of {NAME}'s")
    text = f"this machine is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} {NAME}'s clock"
    remedy = "set it by the network: timedatectl set-ntp true, or your system's date settings"
    return no(text, remedy) if abs(ahead) > TOO_FAR else warning(text, remedy)


def calendar_told(ours: Hours, theirs: Hours, at: datetime) -> Answer:
    """Say whether two calendars are the same, and when the session is that ends next."""
    wrong = [f"{day}: {NAME} {_span(theirs, day)}, ours {_span(ours, day)}" for day in sorted({*ours, *theirs})
             if ours.get(day) != theirs.get(day)]  # fmt: skip
    if wrong:
        return no(", ".join(wrong), "update the calendar: pip install --upgrade exchange_calendars")
    following = next((day for day in sorted(ours) if ours[day][1] > at), None)
    if following is None:
        return no(f"there is no session until {max(ours, default=at.date())}", "check this machine's date")
    early = [f"{day} closes at {_local(ours[day][1]):%H:%M}" for day in ours if _local(ours[day][1]).hour < 16]
    count = _count(len(ours), "session")
    which = "this" if ours[following][0] <= at else "next"
    told = [
        f"{which} session {following} {_span(ours, following)} New York",
        f"{count} until {max(ours)} agree",
        *early,
    ]
    return yes("; ".join(told))


def assets_told(found: Iterable[Asset]) -> Answer:
    """Say how the symbols may be traded, all of which may be."""
    assets = list(found)
    whole = [each.symbol for each in assets if not each.is_fractionable]
    unlent = [each.symbol for each in assets if not (each.is_crypto or each.is_shortable)]
    told = [f"{_count(len(assets), 'symbol')} active and tradable"]
    told += [f"whole shares only: {', '.join(whole)}"] if whole else []
    told += [f"not to be sold short: {', '.join(unlent)}"] if unlent else []
    return yes("; ".join(told))


def _read(http: Http, exchange: Exchange[MarketClock]) -> Reading:
    at, began = datetime.now(UTC), time.monotonic()
    told = http.send(exchange)
    took = time.monotonic() - began
    return Reading(told.at, at + timedelta(seconds=took / 2), took)


def _library(first: date, last: date) -> Hours:
    sessions = Calendar("XNYS").sessions
    rows = zip(sessions.days.tolist(), sessions.opens, sessions.closes, strict=True)
    return {day: (moment(opens), moment(closes)) for day, opens, closes in rows if first <= day <= last}


def _venues(days: Iterable[TradingDay]) -> Hours:
    return {each.day: (each.opens_at, each.closes_at) for each in days}


def _span(hours: Hours, day: date) -> str:
    if day not in hours:
        return "closed"
    opens, closes = hours[day]
    return f"{_local(opens):%H:%M} to {_local(closes):%H:%M}"


def _local(at: datetime) -> datetime:
    return at.astimezone(NEW_YORK)


def _minute(at: datetime) -> str:
    return f"{_local(at):%Y-%m-%d %H:%M}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"

"""`run_trading`: a trading function traded live or backtested, called as in blockpaca.

from framework import run_trading
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from framework.app.functions.display import FunctionDisplay
from framework.app.functions.durations import is_eod, seconds_of
from framework.app.functions.places import Place, place
from framework.app.functions.trade_csv import TradeCsv, check_name
from framework.app.functions.watching import Watching
from framework.engine.day_end import HOLD, LIQUIDATE
from framework.engine.session_end import BEFORE_CLOSE, AtEnd
from framework.errors import ConfigError, nearest
from framework.live.limits import Limits
from framework.quoting import span

if TYPE_CHECKING:
    from framework.ports import Venue
    from framework.result import Result

CUSTOM = "custom"

BEHAVIOURS = (LIQUIDATE, HOLD, CUSTOM)

ON_ERROR = ("report", "stop")

_SECRET = ("api_key", "secret_key")

_REST = timedelta(seconds=30)


def run_trading(
    strategy_callable: Callable[[Any], Any],
    trade_log_name: str,
    trade_log_path: str | Path,
    api_key: str | None = None,
    secret_key: str | None = None,
    tickers: Sequence[str] = (),
    frequency: float | str = 1.0,
    run_seconds: float | str | None = "EOD",
    total_allowed_per_min: int = 190,
    refill_interval_sec: float = 60,
    num_workers: int | None = None,
    use_alpaca: bool = True,
    eos_behavior: str = LIQUIDATE,
    custom_shutdown_action: Callable[[Any], Any] | None = None,
    warm_up_period: float | str = 10,
    live_display: bool = False,
    display_refresh_rate: float = 0.5,
    max_trade_updates: int = 15,
    *,
    venue: str | Venue | None = None,
    source: Any = None,
    cash: float = 100_000,
    on_error: str = "report",
    limits: Limits | None = None,
    session: str | None = None,
    adopt: bool = True,
    real_money: str | None = None,
    feed: str = "iex",
    spread: float = 0.0002,
) -> Result:
    """Call a trading function every so often and trade what it returns, until the session ends.

    strategy_callable     `def trade(context): ...; return orders`; see `docs/functions.md` for context and orders
    trade_log_name, trade_log_path  the trade log is trade_log_path/trade_log_name.csv; it is added to. A backtest's
                          is trade_log_name-backtest.csv, made anew
    api_key, secret_key   Alpaca's; None is APCA_API_KEY_ID and APCA_API_SECRET_KEY, or the credentials file
    tickers               whose quotes are received, and what may be traded
    frequency             time between two calls: seconds, or "1m", "15m", "1h"; while the market is open
    run_seconds           how long: seconds, "1m", "2h", "EOD" (30 s before the close); a backtest may have None, all
    total_allowed_per_min requests in any `refill_interval_sec` (a sliding window); what is more waits, exits go first
    num_workers           is not needed: orders leave together over one pool
    use_alpaca            False is not traded here; see venue
    eos_behavior          at the end: "liquidate" cancels and closes all and asks the account whether it is flat,
                          "hold" leaves positions, "custom" sends what custom_shutdown_action(context) returns
    warm_up_period        time before the first call, for quotes to come
    live_display          show capital, positions and trade updates, `max_trade_updates` of them, drawn anew every
                          `display_refresh_rate` seconds; otherwise, and where there is no terminal, plain lines
    venue                 None: the sandbox that SWITCHBACK_SANDBOX names, else paper; "paper", "sandbox", a sandbox's
                          URL, "backtest", "live" (real money), or a venue such as AlgogeneVenue
    source                a backtest's bars or quotes, such as AlpacaBars(tickers, start=...), of bars with a `spread`;
                          live another source of quotes than Alpaca's `feed`
    cash                  what the session may spend
    on_error              an exception of the function's: "report" tells of it and goes on, "stop" ends the session
                          (as `eos_behavior` says) and raises it
    limits                `framework.Limits`; `stale` is how many seconds old a quote may be to open a position on
    session               a name, under which a session that was killed goes on
    adopt                 take over what the account holds of the tickers
    real_money            the account's number, which real money needs

    Return the session's `Result`. Raise `ConfigError` for what is wrong before anything runs, `VenueError` for what
    the venue says. Ctrl-C ends the session as `eos_behavior` says, a second one at once.
    """
    given = Wanted.of(locals())
    return given.backtested() if not given.place.is_live else given.traded()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `run_trading` was given, checked."""

    function: Callable[[Any], Any]
    shutdown: Callable[[Any], Any] | None
    how: str
    seconds: float | None
    is_whole: bool
    warm_up: float
    place: Place
    name: str
    path: Path
    options: Mapping[str, Any]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Wanted:
        """Check what was given, by the names of `run_trading`'s parameters; raise `ConfigError`."""
        _check(given)
        every = seconds_of(given["frequency"], "frequency")
        keys = (given["api_key"], given["secret_key"])
        tickers = _tickers(given["tickers"])
        where = place(tickers, every, given["venue"], given["source"], keys, given["feed"], given["spread"])
        length = given["run_seconds"]
        if length is None and where.is_live:
            raise ConfigError('run_seconds=None is for a backtest; live give seconds, "2h" or "EOD"')
        return cls(
            given["strategy_callable"],
            given["custom_shutdown_action"],
            given["eos_behavior"],
            None if length is None or is_eod(length) else seconds_of(length, "run_seconds"),
            length is None,
            seconds_of(given["warm_up_period"], "warm_up_period") if given["warm_up_period"] else 0.0,
            where,
            check_name(given["trade_log_name"]),
            Path(given["trade_log_path"]),
            {name: value for name, value in given.items() if name not in _SECRET},
        )

    # -- the two ways

    def backtested(self) -> Result:
        """Play it over the past."""
        from framework.backtest import Backtest, play
        from framework.feeding import fed
        from framework.runner import arguments, prepared

        with self._watched() as watching:
            ready = prepared(arguments(_strategy(), self._how(watching, self._end(self._first_look()))))
            piece = replace(ready.piece, stale=self._limits.stale)
            feeds = fed(ready.sources, (), 0, ready.need)
            return self._ended(play(Backtest(piece, feeds, False, "lean", False)))

    def traded(self) -> Result:
        """Trade it."""
        from framework.ground import made_name
        from framework.live.settings import HELD, Live
        from framework.runner import run

        options, now = self.options, self._now()
        with self._watched() as watching:
            live = Live(
                session=options["session"] or made_name(self.name, now),
                adopt=HELD if options["adopt"] else (),
                real_money=options["real_money"],
                requests=self._requests,
                limits=self._limits,
                watch=watching.seen,
            )
            return self._ended(run(_strategy(), **self._how(watching, self._end(now)), live=live))

    def _how(self, watching: Watching, end: AtEnd) -> dict[str, Any]:
        params = {
            "function": self.function, "shutdown": self.shutdown, "warm_up": self.warm_up,
            "on_error": self.options["on_error"], "watch": watching,
        }  # fmt: skip
        return {
            "source": self.place.source, "venue": self.place.venue, "cash": self.options["cash"], "at_close": end,
            "warmup": 0, "params": params,
        }  # fmt: skip

    def _ended(self, result: Result) -> Result:
        strategy: Any = result.strategy
        if strategy.failure is not None:
            raise strategy.failure
        failures = strategy.failures
        if not failures:
            return result
        note = f"the trading function failed at {len(failures)} of {strategy.calls} calls, first with: {failures[0]}"
        return replace(result, notes=(*result.notes, note))

    # -- what is seen

    @contextmanager
    def _watched(self) -> Iterator[Watching]:
        is_shown = bool(self.options["live_display"] or self.place.is_live)
        with self._book() as book:
            watching = Watching(self.name, self.place.money, book.write, is_shown=is_shown)
            if not is_shown:
                yield watching
                return
            with self._display(watching):
                yield watching
                watching.over()

    def _book(self) -> TradeCsv:
        """Return the trade log; a backtest has one of its own, made anew: it is not among what was traded."""
        is_live = self.place.is_live
        return TradeCsv(self.path, self.name if is_live else f"{self.name}-backtest", is_new=not is_live)

    def _display(self, watching: Watching) -> FunctionDisplay:
        """Return the picture, or, where it is not wanted, plain lines."""
        options = self.options
        refresh = seconds_of(options["display_refresh_rate"], "display_refresh_rate")
        console = None if options["live_display"] else Console(file=sys.stdout, force_terminal=False)
        return FunctionDisplay(watching.board, refresh, int(options["max_trade_updates"]), console)

    # -- how long

    def _end(self, at: datetime) -> AtEnd:
        """Return the end of a session that begins at a time; raise `ConfigError` where the market closes before it."""
        calendar, beats = self.place.source.calendar, self.place.source.beats
        first = beats.after(at)
        seconds = self._whole(first) if self.is_whole else self.seconds
        before = max(BEFORE_CLOSE, beats.every)
        latest = calendar.next_close(first) - before
        ends = first + timedelta(seconds=self.warm_up + (seconds or 0.0))
        if calendar.name != "24/7" and ends > latest and not self.is_whole:
            ends_, latest_ = (f"{each.astimezone(calendar.zone):%H:%M:%S}" for each in (ends, latest))
            raise ConfigError(
                f"run_seconds={self.options['run_seconds']} ends at {ends_} ({calendar.zone}), and a session ends at "
                f'{latest_} at the latest, {before.total_seconds():g} s before the market\'s close; try "EOD"'
            )
        how: Any = _shut_down if self.how == CUSTOM else self.how
        return AtEnd(how, seconds, self.warm_up, calendar, before)

    def _whole(self, first: datetime) -> float:
        """Return how long the quotes last, with some left for the last orders."""
        quoted = span(self.place.source.quoted().values())
        assert quoted is not None
        rest = max(2 * self.place.source.beats.every, _REST)
        return max((quoted[1] - first - rest).total_seconds() - self.warm_up, 0.0)

    def _first_look(self) -> datetime:
        quoted = span(self.place.source.quoted().values())
        if quoted is None:
            raise ConfigError(f"there are no quotes of {', '.join(self.place.source.symbols)} in these days")
        return quoted[0] - timedelta(microseconds=1)

    def _now(self) -> datetime:
        from framework.ground import clock_at

        return clock_at(self.place.venue.base_url).now()  # type: ignore[attr-defined]  # it is a live one

    # -- limits

    @property
    def _limits(self) -> Limits:
        return self.options["limits"] or Limits()

    @property
    def _requests(self) -> int:
        """How many requests a minute are allowed, where so many are in another interval."""
        return max(int(self.options["total_allowed_per_min"] * 60 / self.options["refill_interval_sec"]), 1)


def _shut_down(strategy: Any) -> None:
    strategy.shut_down()


@functools.cache
def _strategy() -> Any:
    """Return `TradingFunction`, by its file: a `strategies` folder of the user's own must not hide it."""
    path = Path(__file__).parents[3] / "strategies" / "function.py"
    spec = importlib.util.spec_from_file_location("switchback_function", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # Backtrader looks its classes up there
    spec.loader.exec_module(module)
    return module.TradingFunction


def _tickers(given: Any) -> tuple[str, ...]:
    tickers = (given,) if isinstance(given, str) else tuple(given)
    if not tickers:
        raise ConfigError('tickers names none; give those to trade, such as tickers=["AAPL", "TSLA"]')
    return tickers


def _check(given: Mapping[str, Any]) -> None:
    if not callable(given["strategy_callable"]):
        raise ConfigError(f"strategy_callable={given['strategy_callable']!r} is no function of the context")
    for name, known in (("eos_behavior", BEHAVIOURS), ("on_error", ON_ERROR)):
        if given[name] not in known:
            hint = nearest(str(given[name]), known)
            raise ConfigError(f"{name}={given[name]!r} is not known{hint}; try {', '.join(known)}")
    if given["eos_behavior"] == CUSTOM and not callable(given["custom_shutdown_action"]):
        raise ConfigError('eos_behavior="custom" needs custom_shutdown_action, a function of the context')
    if not given["use_alpaca"]:
        raise ConfigError('use_alpaca=False: nothing is made up on live quotes; try venue="sandbox" or "backtest"')
    for name in ("total_allowed_per_min", "refill_interval_sec", "display_refresh_rate", "max_trade_updates"):
        seconds_of(given[name], name)

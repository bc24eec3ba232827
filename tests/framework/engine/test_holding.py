"""Hold times: what an order opened is closed after so many seconds, in a backtest and live."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import backtrader as bt
import pytest
from tape import Tape

from brokers import AlgogeneVenue, AlpacaVenue
from feeds import AlpacaBars, SampleBars
from framework import Live, run
from framework.app.sandbox import Sandbox
from framework.errors import ConfigError

PRICES = [100.0 + minute for minute in range(14)]
VENUES = [AlpacaVenue(), AlgogeneVenue()]


class Holding(bt.Strategy):
    """Buys ten at the second bar to hold them for `seconds`, and does what `plan` says at other bars."""

    params = (("seconds", 180), ("plan", {}), ("until", 100))

    def next(self) -> None:
        if len(self) == 2:
            self.buy(size=10, holdtime=self.p.seconds)
        if len(self) in self.p.plan:
            self.p.plan[len(self)](self)
        if len(self) == self.p.until:
            self.env.runstop()


def fills(result: Any) -> list[tuple[int, str, float]]:
    """Return the minute of the bar's end, side and size of each fill."""
    rows = result.fills[["time", "side", "size"]].itertuples(index=False)
    return [(time.minute - 30, side, size) for time, side, size in rows]


def played(engine: str = "lean", venue: Any = VENUES[0], **params: Any) -> Any:
    return run(Holding, source=Tape({"XYZ": PRICES}), venue=venue, engine=engine, **params)


@pytest.mark.parametrize("engine", ["lean", "stock"])
@pytest.mark.parametrize("venue", VENUES, ids=["Alpaca", "ALGOGENE"])
@pytest.mark.parametrize("seconds", [180, timedelta(minutes=3), 150])
def test_what_was_bought_is_sold_after_its_time(engine: str, venue: Any, seconds: Any) -> None:
    """Filled with the third bar, over with the sixth, sold with the seventh's first price."""
    result = played(engine, venue, seconds=seconds)
    assert fills(result) == [(3, "buy", 10), (7, "sell", 10)]
    assert result.engine.startswith(engine)


def test_what_is_not_held_any_more_is_not_sold() -> None:
    """The strategy closed it before; a short position that came since is left alone."""
    assert fills(played(plan={4: lambda s: s.close()})) == [(3, "buy", 10), (5, "sell", 10)]
    turned = played(plan={4: lambda s: s.sell(size=10), 5: lambda s: s.sell(size=4)})
    assert [each for each in fills(turned) if each[1] == "buy"] == [(3, "buy", 10)]


def test_rest_of_what_was_held_is_sold() -> None:
    """As far as it is there still."""
    assert fills(played(plan={4: lambda s: s.sell(size=7)}))[-1] == (7, "sell", 3)


def test_order_without_a_fill_holds_nothing() -> None:
    """It is forgotten when it is over."""

    class Waiting(bt.Strategy):
        def next(self) -> None:
            if len(self) == 2:
                self.order = self.buy(size=10, exectype=bt.Order.Limit, price=1.0, holdtime=60)
            if len(self) == 4:
                self.cancel(self.order)

    assert fills(run(Waiting, source=Tape({"XYZ": PRICES}), venue=VENUES[0])) == []


@pytest.mark.parametrize("seconds", [-1, "60", float("nan")])
def test_time_that_is_none_is_told(seconds: Any) -> None:
    """Before the order is sent."""
    with pytest.raises(ConfigError, match="holdtime"):
        played(seconds=seconds)


def live(sandbox: Sandbox, **params: Any) -> Any:
    source, venue = AlpacaBars(["SPY"], **sandbox.access), AlpacaVenue(**sandbox.access)
    return run(Holding, source=source, venue=venue, live=Live(session="held"), warmup=0, **params)


def test_live_it_is_as_in_a_backtest() -> None:
    """The same fills at the same prices."""
    bars = SampleBars(["SPY"], "2026-10-05", "2026-10-05")
    tested = run(Holding, source=bars, venue=AlpacaVenue(), until=20)
    with Sandbox(bars) as sandbox:
        lived = live(sandbox, until=20)
    columns = ["time", "side", "size", "price"]
    assert lived.fills[columns].values.tolist() == tested.fills[columns].values.tolist()
    assert len(lived.fills) == 2


@pytest.mark.parametrize("until", [3, 4, 6, 7])
def test_hold_goes_on_after_a_restart(until: int) -> None:
    """Sold once, whether the session was stopped before its time or just after it."""
    with Sandbox(SampleBars(["SPY"], "2026-10-05", "2026-10-05")) as sandbox:
        first = live(sandbox, until=until)
        rest = live(sandbox, plan={2: lambda s: None}, seconds=100_000, until=20)
    sides = [*first.fills["side"].tolist(), *rest.fills["side"].tolist()]
    assert sides.count("sell") == 1

"""Exits that Alpaca does not take as a pair, in a whole session: Backtrader's own orders, the sandbox, lock-step."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
from tape import Tape

from brokers import AlpacaVenue
from feeds import AlpacaBars
from framework import Live, run
from framework.app.sandbox import Sandbox


@pytest.fixture(autouse=True)
def sessions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Journals of their own."""
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))


class Bracketed(bt.Strategy):
    """Buys two and a half with a stop and a limit; `then` is what it does at each `next` afterwards."""

    params = (("then", None), ("stop", {}))

    def __init__(self) -> None:
        self.heard: dict[int, list[str]] = {}
        self.orders: list[bt.Order] = []

    def next(self) -> None:
        if not self.orders and not self.position:
            self.orders = self.buy_bracket(size=2.5, exectype=bt.Order.Market, stopprice=95.0, limitprice=110.0,
                                           **self.p.stop)  # fmt: skip
        elif self.p.then:
            self.p.then(self)

    def notify_order(self, order: bt.Order) -> None:
        self.heard.setdefault(order.ref, []).append(order.getstatusname())

    @property
    def ends(self) -> list[str]:
        """The last status of each order."""
        return [self.heard[each.ref][-1] for each in self.orders]


def live(sandbox: Sandbox, session: str = "", **params: Any) -> Any:
    there = {"base_url": sandbox.url, "key": sandbox.key, "secret": sandbox.secret}
    how = Live(session=session) if session else True
    return run(Bracketed, source=AlpacaBars(["SPY"], **there), venue=AlpacaVenue(**there), live=how, **params)


TRAILING = {"stopexec": bt.Order.StopTrail, "stopargs": {"trailamount": 5.0}}


@pytest.mark.parametrize("stop", [{}, TRAILING])
@pytest.mark.parametrize(
    ("price", "ends"),
    [(94.0, ["Completed", "Completed", "Canceled"]), (111.0, ["Completed", "Canceled", "Completed"])],
)
def test_a_fractional_bracket_ends_with_one_exit(price: float, ends: list[str], stop: Any) -> None:
    """Entry, stop and limit; each is heard of as any order is."""
    with Sandbox(Tape({"SPY": [100.0] * 4 + [price] * 4})) as sandbox:
        found = live(sandbox, stop=stop).strategy
        assert (found.ends, found.position.size) == (ends, 0)
        assert [found.heard[each.ref][:2] for each in found.orders] == [["Submitted", "Accepted"]] * 3


def test_a_session_that_stops_and_goes_on_still_has_its_stop() -> None:
    """The journal knows what was held."""

    def stop_at(count: int) -> Callable[[Bracketed], None]:
        return lambda strategy: strategy.env.runstop() if len(strategy) >= count else None

    with Sandbox(Tape({"SPY": [100.0] * 6 + [94.0] * 4})) as sandbox:
        first = live(sandbox, "on", then=stop_at(4))
        assert first.strategy.position.size == 2.5
        second = live(sandbox, "on")
        assert second.strategy.position.size == 0
        assert ["Completed"] in [each[-1:] for each in second.strategy.heard.values()]

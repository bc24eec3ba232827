"""Random bars and random order programs: stock and lean agree on every one of them."""

from __future__ import annotations

import os
from typing import Any

import backtrader as bt
import cases
import numpy as np
from fingerprint import differences, fingerprint, watched
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from framework.columns import Columns
from framework.engine import Cerebro

KINDS = [
    bt.Order.Market, bt.Order.Limit, bt.Order.Stop, bt.Order.StopLimit, bt.Order.Close, bt.Order.StopTrail,
    bt.Order.StopTrailLimit,
]  # fmt: skip


class Program(bt.Strategy):
    """Carries out a list of orders, each at its bar."""

    params = (("program", ()),)

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def next(self) -> None:
        for step, action, kind, size, offset, link in self.p.program:
            if step == len(self):
                self._carry_out(action, kind, size, offset, link)

    def _carry_out(self, action: str, kind: int, size: float, offset: float, link: int) -> None:
        earlier = self.sent[link % len(self.sent)] if self.sent else None
        price = round(self.data.close[0] * (1 + offset), 2)
        options: dict[str, Any] = {"exectype": kind, "price": price, "size": size}
        if kind in (bt.Order.StopLimit, bt.Order.StopTrailLimit):
            options["plimit"] = round(price * (1 + offset / 2), 2)
        if kind in (bt.Order.StopTrail, bt.Order.StopTrailLimit):
            options["trailamount"] = 0.05
        if link % 4 == 1 and earlier is not None:
            options["oco"] = earlier
        if link % 5 == 2:
            options["valid"] = self.data.datetime[0] + 3 / 1440
        match action:
            case "buy" | "sell":
                self.sent.append(getattr(self, action)(**options))
            case "bracket":
                self.sent += self.buy_bracket(size=size, price=price, stopprice=price * 0.99, limitprice=price * 1.01)
            case "cancel" if earlier is not None:
                self.cancel(earlier)
            case "close":
                self.close()
            case "cash":
                self.broker.add_cash(size)
            case "child" if earlier is not None:
                self.sent.append(self.sell(parent=earlier, **{**options, "oco": None}))


prices = st.integers(9_000, 11_000).map(lambda cents: cents / 100)


@st.composite
def columns(draw: st.DrawFn) -> Columns:
    rows = draw(st.lists(st.tuples(prices, prices, prices, prices), min_size=4, max_size=14))
    four = np.array(rows)
    minutes = np.cumsum(draw(st.lists(st.sampled_from([1, 1, 1, 2, 7, 700]), min_size=len(rows), max_size=len(rows))))
    end = np.datetime64("2024-05-02T13:31", "us") + minutes * np.timedelta64(1, "m")
    return Columns.of(end, four[:, 0], four.max(axis=1), four.min(axis=1), four[:, 3], np.full(len(rows), 50.0))


programs = st.lists(
    st.tuples(
        st.integers(1, 12),
        st.sampled_from(["buy", "sell", "buy", "sell", "bracket", "cancel", "close", "cash", "child"]),
        st.sampled_from(KINDS),
        st.sampled_from([1, 2, 5, 0.5, 40]),
        st.sampled_from([0.0, 0.001, -0.001, 0.01, -0.01]),
        st.integers(0, 11),
    ),
    max_size=9,
)
setups = st.lists(
    st.sampled_from([
        cases.quick, cases.no_observers, cases.percent, cases.futures, cases.slipping, cases.poor, cases.unchecked,
        cases.filled_in_part, cases.on_close, cases.six_analyzers, cases.interest, cases.no_short_cash,
    ]),
    max_size=3,
    unique=True,
)  # fmt: skip


def _run(engine: type[Any], feeds: list[Columns], program: Any, chosen: list[Any], watch: bool, resample: bool) -> Any:
    cerebro = engine()
    cerebro.broker.setcash(5_000.0)
    for number, each in enumerate(feeds):
        cerebro.adddata(cases.feed(each, f"data{number}"))
    if resample:
        cerebro.resampledata(cerebro.datas[0], timeframe=bt.TimeFrame.Minutes, compression=3, name="slow")
    cerebro.addstrategy(watched(Program) if watch else Program, program=program)
    for each in chosen:
        each(cerebro)
    try:
        return fingerprint(cerebro, cerebro.run())
    except (IndexError, ZeroDivisionError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"


@settings(
    max_examples=int(os.environ.get("DRILL_PROGRAMS") or 500), deadline=None, derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)  # fmt: skip
@given(
    feeds=st.lists(columns(), min_size=1, max_size=2), program=programs, chosen=setups, watch=st.booleans(),
    resample=st.sampled_from([False, False, True]),
)  # fmt: skip
def test_any_program_leaves_the_same(
    feeds: list[Columns], program: Any, chosen: list[Any], watch: bool, resample: bool
) -> None:
    """Whatever is ordered on whatever bars, both engines leave the same, or fail in the same way."""
    stock = _run(bt.Cerebro, feeds, program, chosen, watch, resample)
    ours = _run(Cerebro, feeds, program, chosen, watch, resample)
    if isinstance(stock, str) or isinstance(ours, str):
        assert stock == ours
    else:
        assert differences(stock, ours) == []

"""Lean runs are stock runs, bit for bit: strategies × shapes of data × ways to set Cerebro up."""

from __future__ import annotations

import itertools
import random
from typing import Any

import backtrader as bt
import cases
import pytest
import strategies_zoo as zoo
from fingerprint import differences

from framework.engine import analyzers, broker, history, observers, orders, tradestats

_LOOKS = {"on_open": zoo.OpenCheater, "percent_sizer": zoo.Sized, "three": zoo.Rotating, "signal": zoo.Signals}


_SHORT = "IndexError: array assignment index out of range"
"""How stock ends where a feed has fewer bars than an indicator needs."""


def _name(value: Any) -> str:
    return getattr(value, "__name__", str(value))


def _same(strategy: type[Any], shape: cases.Setting, *settings: cases.Setting, watch: bool = False) -> str:
    stock, ours, engine = cases.both(strategy, shape, *settings, watch=watch)
    if stock == _SHORT:  # mended: what stock gives bar by bar is what ours gives
        stock, _ = cases.played(bt.Cerebro, strategy, shape, *settings, watch=watch, runonce=False)
    if isinstance(stock, str) or isinstance(ours, str):
        assert stock == ours
    else:
        assert differences(stock, ours) == []
    return engine


@pytest.mark.parametrize("shape", cases.SHAPES, ids=_name)
@pytest.mark.parametrize("strategy", zoo.ALL, ids=_name)
def test_strategy_leaves_the_same_on_every_shape_of_data(strategy: type[Any], shape: cases.Setting) -> None:
    """Each feature of a strategy gives what stock gives, on one feed, many, with holes, doubles, time frames."""
    watch = (zoo.ALL.index(strategy) + cases.SHAPES.index(shape)) % 2 == 0
    assert _same(strategy, shape, watch=watch) in ("lean", "", "stock: a feed is shorter than its indicators need")


@pytest.mark.parametrize("shape", cases.RESAMPLED, ids=_name)
@pytest.mark.parametrize("strategy", zoo.ALL, ids=_name)
def test_strategy_leaves_the_same_on_resampled_and_replayed_feeds(strategy: type[Any], shape: cases.Setting) -> None:
    """Bars made in the run, beside the minutes or instead of them, change nothing about the results."""
    watch = (zoo.ALL.index(strategy) + cases.RESAMPLED.index(shape)) % 2 == 0
    assert _same(strategy, shape, watch=watch) == "lean"


@pytest.mark.parametrize("watch", [False, True], ids=["unwatched", "watched"])
@pytest.mark.parametrize("setting", cases.SETTINGS, ids=_name)
def test_setting_leaves_the_same(setting: cases.Setting, watch: bool) -> None:
    """Each way to set broker, observers and analyzers up gives what stock gives."""
    strategy = _LOOKS.get(_name(setting), zoo.Answering)
    assert _same(strategy, cases.one, setting, watch=watch) in ("lean", "")
    assert _same(zoo.Rotating, cases.holes, setting, watch=watch) in ("lean", "")


@pytest.mark.parametrize(
    "pair",
    random.Random(7).sample(list(itertools.combinations(cases.SETTINGS, 2)), 60),
    ids=lambda pair: f"{pair[0].__name__}-{pair[1].__name__}",
)
def test_pair_of_settings_leaves_the_same(pair: tuple[cases.Setting, cases.Setting]) -> None:
    """Settings do not spoil each other."""
    _same(zoo.Answering, cases.one, *pair)
    _same(zoo.Brackets, cases.resampled if len(pair[0].__name__) % 2 else cases.three, *pair)


def _one_ulp(module: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    whole = getattr(module, name)

    def nearly(*args: Any, **kwargs: Any) -> Any:
        size, price, opened, closed = whole(*args, **kwargs)
        return size, float(np.nextafter(price, np.inf)), opened, closed

    monkeypatch.setattr(module, name, nearly)


def _broken(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Break the lean path in one small way."""
    match how:
        case "price of a position one bit off":
            _one_ulp(broker, "netted", monkeypatch)
        case "a notification too few":
            monkeypatch.setattr(broker.LeanBroker, "submit_accept", lambda b, o: b.pending.append(o))
        case "executions told twice":
            monkeypatch.setattr(orders.LeanRecord, "clone", lambda record: record)
        case "observers one bar early":
            monkeypatch.setattr(history, "_spread", lambda changes, bars: history.np.full(bars, changes[-1][1]))
        case "draw-down in the wrong unit":
            monkeypatch.setitem(analyzers.DEFERRED, analyzers.a.DrawDown, lambda *args: None)
        case "trades of one side forgotten":
            monkeypatch.setattr(tradestats, "_one_way", lambda *args: None)
        case "executions not drawn":
            monkeypatch.setattr(observers, "_mark_orders", lambda *args: None)


@pytest.mark.parametrize(
    "how",
    [
        "price of a position one bit off", "a notification too few", "executions told twice", "observers one bar early",
        "draw-down in the wrong unit", "trades of one side forgotten", "executions not drawn",
    ],
)  # fmt: skip
def test_broken_lean_path_fails_the_matrix(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lean path that is wrong in one small place does not pass as stock."""
    _broken(monkeypatch, how)
    watch = "too few" in how or "twice" in how
    stock, ours, engine = cases.both(zoo.Reversing, cases.one, cases.six_analyzers, watch=watch)
    assert engine == "lean"
    assert isinstance(ours, str) or differences(stock, ours)

"""Follow an algorithm that publishes signals: open and close what it says, by weight of a given capital."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import backtrader as bt

log = logging.getLogger("switchback.follower")


class _Step:
    """What one signal asks for. It waits for the steps `after`, is an order for a while, and then is over."""

    def __init__(self, feed: Any, signal: Any, data: Any, after: Iterable[_Step]) -> None:
        self.feed, self.signal, self.data = feed, signal, data
        self.after = list(after)
        self.order: Any = None
        self.is_over = False
        feed.keep(signal)  # a restart is to tell it again, until it is done with

    @property
    def opens(self) -> bool:
        return bool(self.signal.action == "open")

    @property
    def sign(self) -> int:
        return 1 if self.signal.side == "buy" else -1

    @property
    def may_go(self) -> bool:
        return not self.is_over and self.order is None and all(each.is_over for each in self.after)

    def end(self) -> None:
        self.is_over = True
        self.feed.done(self.signal)


class SignalFollower(bt.Strategy):
    """Trades the signals of one algorithm at the market.

    Of each symbol it opens `weight` times `capital` (in the account's currency; None is 95 % of what the account is
    worth then), in whole shares unless `fractional`. What is to be closed is closed whole, and before anything is
    opened: what opens waits until these orders are over, so that their money is there and a position that is reversed
    is flat between. A close whose side does not fit what is held (a buy covers a short position) does nothing. With
    `chase` (0.005 is half a per cent) nothing is opened whose price has run further than that from the signal's.

    Each order bears the name of its signal, so that a signal that is told again is not traded again. It follows
    one algorithm; two of them may want opposite things of one symbol: give each a session of its own.
    """

    params = (("capital", None), ("fractional", False), ("chase", None))

    def __init__(self) -> None:
        self.feeds = [data for data in self.datas if hasattr(data, "signals")]
        if len(self.feeds) != 1:
            raise bt.errors.BacktraderError(
                f"SignalFollower follows one algorithm, and was given {len(self.feeds)}; give it signals (--signals 16)"
            )
        self._steps: list[_Step] = []
        self._earlier: dict[str, Any] = {}

    def next(self) -> None:
        for feed in self.feeds:
            for signal in feed.signals():
                self._take(feed, signal)
        self._go_on()

    def prenext(self) -> None:
        self.next()  # a symbol without bars must not keep the others waiting

    def notify_order(self, order: Any) -> None:
        step = next((each for each in self._steps if each.order is not None and each.order.ref == order.ref), None)
        if step is None:
            self._earlier[order.info.get("name")] = order  # of an earlier run of this session
        elif not order.alive():
            step.end()
            if order.status != order.Completed:
                log.warning("%s: the order is %s: %s", _told(step), order.getstatusname(), order.info.get("reason", ""))
            self._go_on()

    def _take(self, feed: Any, signal: Any) -> None:
        data = self.dnames.get(signal.symbol)
        if signal.side is None or data is None or not len(data):
            return  # a hold; or there are no bars, which whoever runs this tells
        same = [each for each in self._steps if each.data is data]
        if signal.action == "open":
            closing = [each for each in self._steps if not each.opens]
            self._steps.append(_Step(feed, signal, data, {*closing, *same}))
        else:
            for each in same:
                self._withdraw(each)
            self._steps.append(_Step(feed, signal, data, same))

    def _withdraw(self, step: _Step) -> None:
        """Open no more of what is to be closed."""
        if step.opens and step.order is not None:
            self.cancel(step.order)
        elif step.opens:
            step.end()

    def _go_on(self) -> None:
        """Send what has waited for long enough, closes first; each may let others go."""
        while ready := [step for step in self._steps if step.may_go]:
            for step in ready:
                (self._open if step.opens else self._close)(step)
        self._steps = [step for step in self._steps if not step.is_over]

    def _close(self, step: _Step) -> None:
        held = self.getposition(step.data).size
        if held * step.sign < 0:
            self._send(step, abs(held))
        else:
            log.info("%s: nothing to close, %g is held", _told(step), held)
            step.end()

    def _open(self, step: _Step) -> None:
        held, size = self.getposition(step.data).size, self._size(step)
        if held * step.sign < 0:
            log.warning("%s: not opened, %g the other way is still held", _told(step), held)
        elif self._has_run(step):
            log.warning("%s: not opened, the price has run to %g", _told(step), step.data.close[0])
        elif size > 0:
            return self._send(step, size)
        else:
            log.warning("%s: not opened, its share of the capital buys none at %g", _told(step), step.data.close[0])
        return step.end()

    def _send(self, step: _Step, size: float) -> None:
        earlier = self._earlier.get(step.signal.key)
        if earlier is not None and earlier.alive():
            step.order = earlier
            return
        send = self.buy if step.sign > 0 else self.sell
        step.order = send(data=step.data, size=size, exectype=bt.Order.Market, name=step.signal.key)

    def _size(self, step: _Step) -> float:
        capital = 0.95 * self.broker.getvalue() if self.p.capital is None else self.p.capital
        size = step.signal.weight * capital / step.data.close[0]
        return float(size) if self.p.fractional else int(size)

    def _has_run(self, step: _Step) -> bool:
        wanted = step.signal.price
        if self.p.chase is None or not wanted:
            return False
        return bool((step.data.close[0] / wanted - 1) * step.sign > self.p.chase)


def _told(step: _Step) -> str:
    signal = step.signal
    return f"{signal.algorithm}: {signal.action} {signal.side} {signal.symbol}"

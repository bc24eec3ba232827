"""What the drills have found, one by one: each was wrong once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
from drills.drill_checks import broken
from drills.drill_stage import Scene, at, impatient, in_memory, quick, quick_http, served, walk
from drills.drill_strategies import Hungry

from framework.app.sandbox import Sandbox
from framework.ground import Rig
from framework.trade import trade


def test_an_order_is_looked_up_while_the_stream_stays_down(folder: Path) -> None:
    """The venue lets nobody in any more: what becomes of the orders is asked for, not waited for."""
    scene = Scene(
        walk(5, 30), Hungry, {"seed": 5, "until": at(20)}, speed=10.0,
        arm=lambda market: market.faults.arm("half_closed", stream="trade_updates", after=1, seconds=1e6),
    )  # fmt: skip
    assert broken(in_memory(scene, folder)) == []


class InThenOut(bt.Strategy):
    """Buys, sells three bars later, and ends there: the sale fills while nobody is there."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def notify_order(self, order: Any) -> None:
        self.heard.append((order.ordtypename(), order.getstatusname()))

    def prenext(self) -> None:
        self.next()

    def next(self) -> None:
        if len(self.data) == 2 and not self.heard:
            self.buy(size=3)
        elif self.position and not self.broker.get_orders_open():
            self.sell(size=3)
            self.env.runstop()


def both_runs(scene: Scene, between: Any) -> tuple[Any, Any]:
    with served(scene) as (sandbox, book, _), impatient():
        source, venue = quick(sandbox.url, sandbox.key, sandbox.secret, scene.tape.symbols)
        results = []
        for _ in range(2):
            results.append(
                trade(
                    scene.piece(venue), [source], venue, (), 0, lambda kinds: [1 for _ in kinds], scene.live,
                    Rig(http=quick_http),
                )
            )  # fmt: skip
            between(sandbox)
        return results[-1], book


@pytest.mark.usefixtures("folder")
def test_a_fill_that_came_while_nobody_was_there_explains_the_account() -> None:
    """The account holds less than the journal says, and the missed sale is why: the session goes on and is told."""
    result, book = both_runs(Scene(walk(2, 20, ("SPY",)), InThenOut), lambda sandbox: sandbox.step())
    assert ("Sell", "Completed") in result.strategy.heard
    assert result.strategy.position.size == book.account.holding("SPY").size == 0


def test_a_line_that_went_deaf_is_cut_in_the_end() -> None:
    """The venue does not see its client leave; after a while it gives the slot back."""
    import websockets.sync.client as client

    with Sandbox() as sandbox, client.connect(f"{sandbox.websocket}/v2/iex") as socket:
        socket.send(f'{{"action": "auth", "key": "{sandbox.key}", "secret": "{sandbox.secret}"}}')
        socket.send('{"action": "subscribe", "bars": ["SPY"]}')
        sandbox.attend("data")
        sandbox.fault("half_closed", stream="data", seconds=0.05)
        sandbox.step()
        sandbox.attend("data", 0)
    assert sandbox.market.faults.made["half_closed"] == 1

"""Every fault that the sandbox can make, in a whole session over real sockets: in the end everybody agrees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from drills.drill_checks import broken
from drills.drill_stage import Scene, at, over_sockets, walk
from drills.drill_strategies import Hungry

from brokers.alpaca.settings import Settings
from framework.sandbox.market import Market

MINUTES, CALM = 24, 14


class Bracketing(Hungry):
    """Brackets, and now and then the cancel of one."""

    def moves(self, data: Any) -> list[Any]:
        return [self.bracketed, self.bracketed, self.bracketed, self.take_back] if self.open else [self.bracketed]


class Cancelling(Hungry):
    """Limits that wait, and their cancels."""

    def moves(self, data: Any) -> list[Any]:
        return [self.at_limit, self.take_back, self.take_back] if self.open else [self.at_limit]


POST = {"match": {"method": "POST"}}
ORDERS, BARS = {"stream": "trade_updates"}, {"stream": "data"}

FAULTS: list[tuple[str, dict[str, Any], type[Hungry]]] = [
    ("event_first", {"count": 3, **POST}, Hungry),
    ("gateway_timeout", {"count": 2, **POST}, Hungry),
    ("gateway_timeout", {"count": 2, "match": {"method": "DELETE"}}, Cancelling),
    ("stall", {"count": 2, "seconds": 1, **POST}, Hungry),
    ("stall_early", {"count": 2, "seconds": 1, **POST}, Hungry),
    ("cut_answer", {"count": 2, **POST}, Hungry),
    ("cut_answer", {"count": 2, "match": {"method": "DELETE"}}, Cancelling),
    ("bad_gateway", {"count": 3, **POST}, Hungry),
    ("bad_gateway", {"count": 3, "stream": "market_data"}, Hungry),
    ("rate_limited", {"count": 1, **POST}, Hungry),
    ("rejected", {"count": 2}, Hungry),
    ("rejected", {"count": 2}, Bracketing),
    ("cancel_rejected", {"count": 2}, Cancelling),
    ("moved_leg", {"count": 3}, Bracketing),
    ("silent_sibling", {"count": 3}, Bracketing),
    ("duplicate", {"count": 6, **ORDERS}, Hungry),
    ("missing", {"count": 4, **ORDERS}, Hungry),
    ("missing", {"count": 3, "match": {"event": "fill"}}, Hungry),
    ("late", {"count": 4, "seconds": 0.05, **ORDERS}, Hungry),
    ("reordered", {"count": 4, **ORDERS}, Hungry),
    ("null_data", {"count": 4, **ORDERS}, Hungry),
    ("drop", {"count": 2, "after": 2, **ORDERS}, Hungry),
    ("drop", {"count": 2, "after": 2, **BARS}, Hungry),
    ("mute", {"count": 4, **ORDERS}, Hungry),
    ("mute", {"count": 0, **BARS}, Hungry),
    ("half_closed", {"after": 2, "seconds": 0.1, **ORDERS}, Hungry),
    ("half_closed", {"after": 2, "seconds": 0.1, **BARS}, Hungry),
    ("slow", {"count": 4, "seconds": 0.03, **ORDERS}, Hungry),
    ("slow", {"count": 4, "seconds": 0.03, **BARS}, Hungry),
    ("zombie", {"seconds": 0.1, **ORDERS}, Hungry),
    ("zombie", {"seconds": 0.1, **BARS}, Hungry),
    ("missing_bar", {"count": 4}, Hungry),
    ("missing_minute", {"count": 4, "match": {"symbol": "IBM"}}, Hungry),
    ("late_bar", {"count": 3}, Hungry),
    ("late_update", {"count": 3}, Hungry),
    ("trade_correction", {"count": 2}, Hungry),
    ("trade_cancel", {"count": 2}, Hungry),
    ("stream_error", {"count": 1}, Hungry),
    ("gateway_unauthorized", {"count": 1, "stream": "market_data"}, Hungry),
    ("short_pages", {"count": 2}, Hungry),
]


def _name(name: str, options: dict[str, Any], strategy: type[Hungry]) -> str:
    facts = [options.get("stream", ""), *options.get("match", {}).values(), strategy.__name__.lower()]
    return "-".join(filter(None, [name, *facts]))


@pytest.mark.parametrize(("name", "options", "strategy"), FAULTS, ids=[_name(*each) for each in FAULTS])
def test_fault(folder: Path, name: str, options: dict[str, Any], strategy: type[Hungry]) -> None:
    """Nothing twice, lost or orphaned; positions, cash and bars as at the venue; and the strategy knows it all."""

    def arm(market: Market) -> None:
        market.faults.arm(name, **options)
        if name == "zombie":  # a slot that stays taken shows when somebody comes back
            market.faults.arm("drop", stream=options["stream"], after=3)
        if options.get("stream") == "market_data" or name == "short_pages":  # history is asked for what is lacking
            market.faults.arm("missing_bar", count=3)

    params = {"seed": 5, "until": at(MINUTES - 5), "appetite": 0.7}
    scene = Scene(walk(5, MINUTES), strategy, params, seed=5, settings=Settings(partial=0.4), arm=arm, calm_at=at(CALM))
    played = over_sockets(scene, folder)
    assert played.market.faults.made[name] > 0
    assert broken(played) == []

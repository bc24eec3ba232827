"""What is published in the sandbox: from a script, from Python and from the tape, and what a restart makes of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from signals_sandbox import BUY, alphahub, at, item, told
from tape import OPEN

from feeds.alphahub.sandbox_signals import Publication, read
from framework.errors import ConfigError


def test_script_publishes() -> None:
    """What it leaves out comes from the tape: the last price, the venue's time."""
    with alphahub() as venue, venue.joined() as socket:
        venue.sandbox.step(2)
        answer = venue.ask("POST", "/_sandbox/signals", json={"algorithm": 16, "open": [BUY], "close": []})
        assert answer.json()["channels"] == 1
        assert socket.read() == told(16, close=[], open=[item(101.0, 2)])


def test_what_is_given_is_told_as_it_is() -> None:
    """Price, weight, type, timestamp, and what nobody knows, also of a symbol that the tape has not."""
    given = {
        "symbol": "VRTX",
        "side": "sell",
        "price": 216.08,
        "weight": 0.3,
        "type": "limit",
        "timestamp": "t",
        "x": 1,
    }
    with alphahub() as venue, venue.joined() as socket:
        assert socket.publish(venue, close=[given]) == told(16, close=[given])


def test_price_before_the_first_bar_is_its_open() -> None:
    """The venue's clock starts when it opens."""
    with alphahub({"SPY": [(99.0, 101.0, 98.0, 100.0)]}) as venue, venue.joined() as socket:
        assert socket.publish(venue, open=[BUY])[4]["open"][0]["price"] == 99.0


def test_hold_and_lists_that_are_missing_or_empty() -> None:
    """As published: a list that was left out is left out, an empty one is there."""
    with alphahub() as venue, venue.joined() as socket:
        assert socket.publish(venue, open=[{**BUY, "side": "hold"}])[4]["open"][0]["side"] == "hold"
        assert [socket.publish(venue, **each)[4] for each in ({"close": []}, {"open": [], "close": []})] == [
            {"close": []},
            {"close": [], "open": []},
        ]


def test_quirks_of_the_example() -> None:
    """A stray space in the first item's time, one in the last item's key; history has neither."""
    with alphahub() as venue, venue.joined() as socket:
        items = socket.publish(venue, open=[BUY] * 3, quirks=["stray_space", "spaced_key"])[4]["open"]
        assert [each["timestamp"] for each in items] == ["2026-01-05 T14:30:00", *["2026-01-05T14:30:00"] * 2]
        assert ["symbol" in each for each in items] == [True, True, False]
        assert items[2][" symbol"] == "SPY"
        assert venue.history() == [item(100.0)] * 3


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"open": []}, "needs its algorithm"),
    ({"algorithm": "16", "open": []}, "'16' is not an algorithm"),
    ({"algorithm": True, "open": []}, "True is not an algorithm"),
    ({"algorithm": 16}, "neither open nor close"),
    ({"algorithm": 16, "opne": []}, "did you mean open"),
    ({"algorithm": 16, "open": "SPY"}, "give a list"),
    ({"algorithm": 16, "open": ["SPY"]}, "has 'SPY'; try"),
    ({"algorithm": 16, "open": [{"side": "buy"}]}, "try {"),
    ({"algorithm": 16, "open": [{"symbol": "SPY", "side": "bye"}]}, "did you mean buy"),
    ({"algorithm": 16, "open": [{**BUY, "price": "12"}]}, "has price '12'"),
    ({"algorithm": 16, "open": [{**BUY, "weight": float("nan")}]}, "has weight nan"),
    ({"algorithm": 16, "open": [], "quirks": ["stray"]}, "did you mean stray_space"),
    ({"algorithm": 16, "open": [], "quirks": "stray_space"}, "quirks are a list"),
]


@pytest.mark.parametrize(("body", "told"), WRONG)
def test_what_cannot_be_published_is_said_in_one_line(body: dict[str, Any], told: str) -> None:
    """What was asked, and what to try."""
    with pytest.raises(ConfigError) as error:
        read(body, OPEN)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_script_is_told_what_is_wrong() -> None:
    """422 with the line, also for a price that nobody knows and a body that is no JSON; nothing is published."""
    with alphahub() as venue:
        body = {"algorithm": 16, "open": [{"symbol": "ZZZ", "side": "buy"}]}
        answer = venue.ask("POST", "/_sandbox/signals", json=body)
        assert answer.status_code == 422
        assert "the tape has no price of ZZZ; give a price" in answer.json()["message"]
        assert venue.ask("POST", "/_sandbox/signals", data="{").status_code == 422
        assert venue.ask("GET", "/_sandbox/signals").json() == {"signals": []}


def test_naive_time_is_refused() -> None:
    """A publication of the tape is at an instant, which has a time zone."""
    with pytest.raises(ConfigError, match="in no time zone"):
        Publication(16, OPEN.replace(tzinfo=None), open=[])


def test_tape_has_signals_at_their_instants() -> None:
    """Between two bars it is an instant of its own, and the step answers with how much was sent."""
    signals = [Publication(16, at(1.5), open=[BUY]), Publication(14, at(1), close=[BUY])]
    with alphahub(signals=signals) as venue, venue.joined(14, 16) as socket:
        steps = [venue.sandbox.step() for _ in range(3)]
        assert [each["at"] for each in steps] == [at(minute).isoformat() for minute in (1, 1.5, 2)]
        assert [each["sent"] for each in steps] == [{"alphahub": 1}, {"alphahub": 2}, {"alphahub": 2}]
        assert socket.read() == told(14, close=[item(100.0, 1)])
        assert socket.read() == told(16, open=[item(100.0, 1.5)])


def test_signals_from_before_the_start_are_history() -> None:
    """They are told to who asks, and pushed to nobody."""
    with alphahub(signals=[Publication(16, OPEN - timedelta(days=3), open=[BUY])]) as venue, venue.joined():
        assert venue.history("2026-01-02") == [item(100.0, -3 * 24 * 60)]
        venue.sandbox.step(4)
        assert venue.market.sent == {}


def test_signal_of_an_unknown_price_is_refused_at_once() -> None:
    """Before anything is served, not in the middle of a tape."""
    signals = [Publication(16, at(1), open=[{"symbol": "ZZZ", "side": "buy"}])]
    with pytest.raises(ConfigError, match="no price of ZZZ"), alphahub(signals=signals):
        pass


def test_running_clock_publishes_by_itself() -> None:
    """The tape's signals come without a step, an hour each 36 ms, none left out; a script's come at once."""
    signals = [Publication(16, at(60 * hour), open=[{**BUY, "weight": hour}]) for hour in range(1, 5000)]
    with alphahub(speed=1e5, signals=signals) as venue, venue.joined(14, 16) as socket:
        first, second = (socket.read()[4]["open"][0]["weight"] for _ in range(2))
        assert second == first + 1
        venue.sandbox.publish(14, close=[])
        while (heard := socket.read())[2] != "algorithms:14":
            pass
        assert heard == told(14, close=[])


def test_published_signals_survive_a_restart(tmp_path: Path) -> None:
    """The same history, nothing pushed again, and what is still to come comes once."""
    signals = [Publication(16, at(minute), open=[{**BUY, "weight": minute}]) for minute in (1, 2)]
    options: dict[str, Any] = {"state": tmp_path / "book", "signals": signals}
    with alphahub(**options) as venue:
        venue.sandbox.step()
        venue.sandbox.publish(16, close=[BUY], quirks=["stray_space"])
        before, published = venue.history(), venue.ask("GET", "/_sandbox/signals").json()
    with alphahub(**options) as venue, venue.joined() as socket:
        assert (venue.history(), venue.ask("GET", "/_sandbox/signals").json()) == (before, published)
        assert len(before) == 2
        assert venue.sandbox.step()["sent"] == {"alphahub": 1}
        assert socket.read() == told(16, open=[item(101.0, 2, weight=2)])


def test_state_file_belongs_to_its_signals(tmp_path: Path) -> None:
    """Other signals are another market."""
    with alphahub(state=tmp_path / "book", signals=[Publication(16, at(1), open=[])]):
        pass
    others = [Publication(17, at(1), open=[])]
    with pytest.raises(ConfigError, match="signals differs"), alphahub(state=tmp_path / "book", signals=others):
        pass

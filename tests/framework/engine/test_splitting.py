"""What a split does to a ledger, to open trades, and to prices that are loaded."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import backtrader as bt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.engine.live_data import number
from framework.engine.ownership import Ownership
from framework.engine.splitting import Changes, sentence, split_feed, split_ledger, split_window
from framework.live.windows import Growing
from framework.model import Bar, Position, Snapshot, Split, Timeframe

T0 = datetime(2026, 10, 5, 13, 31, tzinfo=UTC)
DAY = timedelta(days=1)
RATIOS = st.sampled_from([2.0, 3.0, 1.5, 10.0, 0.1, 0.5, 0.04])


def split(ratio: float, day: int, symbol: str = "SPY") -> Split:
    """A split on the morning of a day."""
    return Split(symbol, T0 + day * DAY - timedelta(hours=9), ratio, f"{symbol} {day}")


class Data:
    """A feed with one bar, as far as a split sees it."""

    _name, close, p = "SPY", (1.0,), SimpleNamespace(symbol="SPY")

    def __len__(self) -> int:
        return 1


class Ledger:
    """A broker and a strategy, as far as a split sees them: one position, booked as the broker books it."""

    def __init__(self) -> None:
        self.data = Data()
        self.positions: defaultdict[Any, bt.Position] = defaultdict(bt.Position)
        self.changes, self.splits, self.open_ids = Changes(), set[str](), dict[str, Any]()
        self.trade = bt.Trade(data=None)
        self._trades: Any = {self.data: {0: [self.trade]}}
        self.rounds: list[tuple[float, float]] = []
        recorder = SimpleNamespace(split=lambda key, size, factor: self.rounds.append((size, factor)))
        self.analyzers = SimpleNamespace(recorder=recorder)

    @property
    def position(self) -> Any:
        return self.positions[self.data]

    def revalue(self) -> None: ...

    def fill(self, day: int, size: float, price: float) -> None:
        self.position.update(size, price)
        self.changes.traded(self.data, number(T0 + day * DAY), size)
        self.trade.size, self.trade.price = self.position.size, self.position.price
        self.trade.isopen = bool(self.trade.size)

    def split(self, told: Split) -> tuple[float, float, float]:
        return split_ledger(self, self, [self.data], told)


@given(size=st.integers(1, 10_000), sign=st.sampled_from([1, -1]), price=st.floats(0.5, 5_000.0), ratio=RATIOS)
def test_the_cost_of_a_position_is_what_it_was(size: int, sign: int, price: float, ratio: float) -> None:
    """Long or short, whatever the ratio: more shares, each cheaper, and the trade as the position."""
    ledger = Ledger()
    ledger.fill(0, sign * size, price)
    before, after, at = ledger.split(split(ratio, 1))
    assert (before, after) == (sign * size, pytest.approx(sign * size * ratio))
    assert after * at == pytest.approx(sign * size * price)
    assert (ledger.trade.size, ledger.trade.price) == (after, pytest.approx(at))
    assert ledger.rounds == [(after, pytest.approx(ratio))]


@given(
    happened=st.lists(
        st.one_of(
            st.tuples(st.just("fill"), st.integers(1, 50)),
            st.tuples(st.just("split"), RATIOS),
            st.tuples(st.just("told"), st.none()),
            st.tuples(st.just("restart"), st.integers(0, 3)),
        ),
        max_size=8,
    )
)
def test_a_split_counts_once_for_what_was_held_whenever_it_is_told(happened: list[tuple[str, Any]]) -> None:
    """Told late, told again, told after a crash that took the last records: each share is split as often as it was.

    Within ten days: of changes that lie further back nothing is known.
    """
    ledger, journal, known = Ledger(), list[Any](), list[Split]()
    exact = 0.0
    for day, (what, value) in enumerate([*happened, ("told", None)]):
        match what:
            case "fill":
                ledger.fill(day, value, 10.0)
                journal.append((day, value))
                exact += value
            case "split":
                known.append(split(value, day))
                exact *= value
            case "told":
                for each in known:
                    if each.name not in ledger.splits:
                        ledger.split(each)
                        journal.append(each)
            case _:
                lost = [each for each in journal[len(journal) - value :] if isinstance(each, Split)] if value else []
                journal = [each for each in journal if each not in lost]
                ledger = Ledger()
                for each in journal:
                    ledger.split(each) if isinstance(each, Split) else ledger.fill(each[0], each[1], 10.0)
    assert ledger.position.size == pytest.approx(exact, rel=1e-6, abs=1e-6)


def test_what_was_taken_over_from_the_account_is_in_the_shares_of_then() -> None:
    """A position that was set to the account's after a split is not split again when that is told."""
    changes = Changes()
    changes.traded("SPY", 1.0, 100.0)
    changes.taken("SPY", 3.0, 100.0, 10.0)
    assert changes.before("SPY", 10.0, 2.0) == 0.0
    assert changes.before("SPY", 10.0, 4.0) == 10.0


def test_shares_that_were_taken_for_sold_have_their_price_again_when_the_split_is_told() -> None:
    """The account's word was taken before the venue told why: the number is right, and now what they cost is too."""
    ledger = Ledger()
    ledger.fill(0, 100, 10.0)
    ledger.position.fix(10, 10.0)
    ledger.trade.size = 10
    ledger.changes.taken(ledger.data, number(T0 + DAY), 100, 10)
    assert ledger.split(split(0.1, 1)) == (10, 10, pytest.approx(100.0))
    assert ledger.trade.price == pytest.approx(100.0)


def test_changes_are_forgotten_in_time() -> None:
    """What is older than any split that is still to be told: a session of weeks does not grow by its fills."""
    changes = Changes()
    for day in range(1_000):
        changes.traded("SPY", float(day), 1.0)
    assert len(changes._known["SPY"]) <= 11


def test_only_bars_of_before_are_put_into_new_shares() -> None:
    """Prices are divided and volumes multiplied; a bar of after it stays."""
    lines = {name: SimpleNamespace(array=[10.0, 20.0, 30.0]) for name in ("open", "high", "low", "close", "volume")}
    times = SimpleNamespace(array=[number(T0 + day * DAY) for day in range(3)])
    data = SimpleNamespace(lines=SimpleNamespace(datetime=times, **lines))
    split_feed(data, split(2.0, 2))
    assert lines["close"].array == [5.0, 10.0, 30.0]
    assert lines["volume"].array == [20.0, 40.0, 30.0]


def test_a_longer_bar_that_grows_is_put_into_new_shares() -> None:
    """A week's bar goes on over the night of a split."""
    week = Timeframe.parse("1Week")
    window = Growing("SPY", week, None, Bar("SPY", T0, 10.0, 12.0, 8.0, 11.0, 100.0, week))  # type: ignore[arg-type]
    split_window(window, split(2.0, 1))
    split_window(window, split(2.0, 1, "IBM"))
    assert window.bar == Bar("SPY", T0, 5.0, 6.0, 4.0, 5.5, 200.0, week)


@pytest.mark.parametrize(
    ("ratio", "held", "told"),
    [
        (2.0, (100, 200, 50.0), "SPY: its shares were split, 2 for 1, this session's 100 are 200 at 50.00; "),
        (0.1, (100, 10, 50.0), "SPY: its shares were put together, 1 for 10, this session's 100 are 10 at 50.00; "),
        (1.5, (0, 0, 0.0), "SPY: its shares were split, 1.5 for 1, this session holds none; "),
    ],
)
def test_the_sentence_that_the_strategy_hears(ratio: float, held: Any, told: str) -> None:
    """What happened, what is held now, and what is left to do."""
    text = sentence(split(ratio, 1), *held)
    assert text.startswith(told)
    assert text.endswith("a restart of the session rebuilds them")


def test_shares_that_are_lacking_have_splits_asked_for_before_they_are_taken_over() -> None:
    """At the first look that shows it; a ledger that has been through the split by the second lacks nothing."""
    ledger, asked = Ledger(), list[bool]()
    ledger.fill(0, 100, 10.0)
    ownership = Ownership(ledger, None, lambda: asked.append(True))  # type: ignore[arg-type]
    account = Snapshot(T0, "A", "USD", 0.0, 0.0, 0.0, (Position("SPY", 10.0, 100.0),), ())
    assert ownership.check(None, account) == []
    ledger.split(split(0.1, 1))
    assert ownership.check(None, account) == []
    assert (asked, ledger.position.size) == ([True], 10)

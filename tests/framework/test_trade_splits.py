"""A live session over a night in which shares are split, against the sandbox in lock-step."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
from tape import OPEN, Tape, bars

from brokers import AlpacaVenue
from brokers.alpaca.settings import Settings
from feeds import AlpacaBars
from framework import Live, run
from framework.app.sandbox import Sandbox
from framework.columns import joined
from framework.live.journal import JournalReader
from framework.live.past import Past
from framework.live.story import Story
from framework.model import Split

DAY = timedelta(days=1)
NIGHT = OPEN + timedelta(hours=17)
"""Half past seven in the morning, in New York."""

Step = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def sessions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Journals of their own."""
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))
    return tmp_path


def split_at(ratio: float, *, settings: Settings | None = None) -> Sandbox:
    """Two days of four minutes, SPY at 100 before the split and IBM at 50."""
    after = 100.0 / ratio
    spy = joined([bars([100.0] * 4), bars([after, after, after * 1.1, after * 1.1], OPEN + DAY)])
    ibm = joined([bars([50.0] * 4), bars([50.0] * 4, OPEN + DAY)])
    source = Tape({"SPY": spy, "IBM": ibm})
    return Sandbox(source, splits=[Split("SPY", NIGHT, ratio)], settings=settings)


class Scripted(bt.Strategy):
    """Does what `script` says at each `next`, by its number, and notes what it sees and hears."""

    params = (("script", None),)

    def __init__(self) -> None:
        self.seen: list[tuple[float, float, float]] = []
        self.said: list[str] = []
        self.statuses: list[str] = []
        self.trades: list[Any] = []

    def next(self) -> None:
        self.seen.append((self.position.size, self.position.price, self.broker.getvalue()))
        if step := (self.p.script or {}).get(len(self.seen)):
            step(self)

    def notify_order(self, order: bt.Order) -> None:
        self.statuses.append(order.getstatusname())

    def notify_trade(self, trade: bt.Trade) -> None:
        if trade.isclosed:
            self.trades.append((trade.pnl, trade.price))

    def notify_store(self, message: str, *_: Any) -> None:
        self.said.append(message)


def buy(strategy: Scripted) -> None:
    strategy.buy(size=100)


def sell_all(strategy: Scripted) -> None:
    strategy.close()


def stop(strategy: Scripted) -> None:
    strategy.env.runstop()


def live(sandbox: Sandbox, script: dict[int, Step], how: Live | bool = True) -> Any:
    """Run the scripted strategy on the sandbox; return the result."""
    source = AlpacaBars(["SPY", "IBM"], **sandbox.access)
    venue = AlpacaVenue(**sandbox.access)
    return run(Scripted, source=source, venue=venue, live=how, warmup=0, script=script)


@pytest.mark.parametrize("settings", [Settings(), Settings(split_in_two=True)])
def test_a_position_is_split_over_night_and_its_profit_stays_right(settings: Settings) -> None:
    """The shares double, the price halves, value and cash do not move, and the sale earns what it should."""
    with split_at(2.0, settings=settings) as sandbox:
        result = live(sandbox, {2: buy, 7: sell_all})
    strategy = result.strategy
    assert strategy.seen[3:6] == [(100, 100.0, 100_000.0), (200, 50.0, 100_000.0), (200, 50.0, 100_000.0)]
    assert strategy.trades == [(pytest.approx(1_000.0), 50.0)]
    (trade,) = result.trades.itertuples()
    assert (trade.size, trade.entry_price, trade.exit_price) == pytest.approx((200, 50.0, 55.0))
    told = "SPY: its shares were split, 2 for 1, this session's 100 are 200 at 50.00; indicators still hold prices of "
    assert [each for each in strategy.said if "split" in each] == [
        told + "before the split; a restart of the session rebuilds them"
    ]


def test_bars_that_were_loaded_are_put_into_the_new_shares() -> None:
    """The close before the split is what it is in shares of now, so that nothing seems to have halved."""
    closes: list[float] = []
    with split_at(2.0) as sandbox:
        result = live(sandbox, {2: buy, 5: lambda strategy: closes.extend(strategy.data.close.get(size=5))})
    assert closes == [50.0] * 5
    assert result.bars["SPY"].close.tolist()[:5] == [50.0] * 5


def test_shares_that_are_put_together_leave_what_the_account_holds() -> None:
    """105 shares, one for ten: the account pays for the half, and the session holds 10 too."""
    with split_at(0.1, settings=Settings(whole_splits=True)) as sandbox:
        result = live(sandbox, {2: lambda strategy: strategy.buy(size=105)})
    assert [size for size, *_ in result.strategy.seen] == [0, 0, 105, 105, 10, 10, 10, 10]


def test_an_open_order_of_the_symbol_is_canceled_by_the_split() -> None:
    """Its price is of before; the strategy hears of it before the next bar."""
    with split_at(2.0) as sandbox:
        result = live(sandbox, {2: lambda strategy: strategy.buy(size=10, exectype=bt.Order.Limit, price=90.0)})
    assert result.strategy.statuses == ["Submitted", "Accepted", "Canceled"]


def test_a_split_while_the_session_rests_is_applied_before_the_account_is_compared() -> None:
    """Fewer shares than the journal says are no reason not to start: the account tells why."""
    with split_at(0.1) as sandbox:
        live(sandbox, {2: buy, 4: stop}, Live(session="s"))
        while sandbox.state()["played_at"] < NIGHT.isoformat():
            sandbox.step()
        second = live(sandbox, {4: sell_all}, Live(session="s"))
    assert [size for size, *_ in second.strategy.seen] == [10, 10, 10, 10, 0]
    assert any("1 for 10, this session's 100 are 10" in each for each in second.strategy.said)


def test_a_split_is_applied_once_however_often_the_session_starts(sessions: Path) -> None:
    """Three more runs on its day find it in the journal, or in what was held when it happened."""
    sizes = []
    with split_at(2.0) as sandbox:
        live(sandbox, {2: buy, 5: stop}, Live(session="s"))
        for _ in range(3):
            sizes += [each[0] for each in live(sandbox, {1: stop}, Live(session="s")).strategy.seen]
    with JournalReader(sessions / "s.sqlite") as journal:
        entries = list(journal.entries())
    assert sizes == [200] * 3
    assert [each.kind for each in entries].count("split") == 1
    assert [step.split.ratio for step in Past.of(entries).steps if step.split] == [2.0]


def test_shares_bought_after_a_split_are_not_split() -> None:
    """A session that began on the day of it is told of it the next time, and has nothing to change."""
    with split_at(2.0) as sandbox:
        while sandbox.state()["played_at"] <= NIGHT.isoformat():
            sandbox.step()
        live(sandbox, {1: buy, 2: stop}, Live(session="s"))
        second = live(sandbox, {}, Live(session="s"))
    assert {size for size, *_ in second.strategy.seen} == {100}


def test_the_journal_tells_a_split_in_a_line(sessions: Path) -> None:
    """Whoever reads it afterwards sees what became of the position."""
    with split_at(2.0) as sandbox:
        live(sandbox, {2: buy}, Live(session="s"))
    with JournalReader(sessions / "s.sqlite") as journal:
        story = Story()
        told = [story.take(each.at, each.kind, each.key, each.body) for each in journal.entries()]
    lines = [line.text for each in told for line in each if line.subject == "SPY"]
    assert [each for each in lines if "split" in each] == ["split by 2: 100 held are 200"]

"""A live session as an operator sees it: the status, the trade log, and what neither of them holds."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest

from brokers import AlpacaVenue
from feeds import AlpacaBars, SampleBars
from framework import Live, run
from framework.app.sandbox import Sandbox
from framework.live.journal import JournalReader
from framework.live.standing import Standing
from framework.live.status import Status
from framework.live.status_file import StatusFile
from framework.live.trade_log import COLUMNS, rows

OPEN = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Half an hour of SPY and IBM."""
    with Sandbox(SampleBars(["SPY", "IBM"], "2026-10-05", OPEN + timedelta(minutes=30))) as served:
        yield served


class Busy(bt.Strategy):
    """Long SPY, short IBM, some of both closed, one order left open."""

    params = (("stops_at", 20), ("fails_at", None))

    def next(self) -> None:
        step = {3: self.enter, 8: self.some, 12: self.rest}.get(len(self))
        if step:
            step()
        if len(self) == self.p.fails_at:
            raise KeyError("a mistake in the strategy")
        if len(self) == self.p.stops_at:
            self.env.runstop()

    def enter(self) -> None:
        self.buy(self.datas[0], size=10)
        self.sell(self.datas[1], size=7)

    def some(self) -> None:
        self.sell(self.datas[0], size=4)
        self.buy(self.datas[1], size=5)

    def rest(self) -> None:
        self.sell(self.datas[0], size=1, exectype=bt.Order.Limit, price=2 * self.datas[0].close[0])


def traded(sandbox: Sandbox, how: Live, **more: Any) -> Any:
    source, venue = AlpacaBars(["SPY", "IBM"], **sandbox.access), AlpacaVenue(**sandbox.access)
    return run(Busy, source=source, venue=venue, live=how, warmup=0, **more)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_status_tells_what_the_strategy_has(sandbox: Sandbox, sessions_folder: Path) -> None:
    """Positions, cash, value, open orders and fills are those of the broker and of the result."""
    seen: list[Status] = []
    result = traded(sandbox, Live("dip", watch=seen.append), commission=0.0005)
    broker, last = result.strategy.broker, seen[-1]
    assert (last.state, last.session, last.run, last.money) == ("over", "dip", 1, "sandbox")
    assert (last.cash, last.value) == (broker.getcash(), pytest.approx(broker.getvalue()))
    held = {
        data._name: (broker.getposition(data).size, broker.getposition(data).price) for data in result.strategy.datas
    }
    assert {each.symbol: (each.quantity, each.average_price) for each in last.held} == held
    assert [each.client_order_id for each in last.orders] == list(broker.open_ids)
    assert len(last.fills) == len(result.fills) == 4
    assert last.unrealised == pytest.approx(sum(row.pnl for row in result.positions.itertuples()))


def test_the_journals_fold_is_the_brokers_book(sandbox: Sandbox, sessions_folder: Path) -> None:
    """What is known of a session that died is what its broker had, commission included."""
    result = traded(sandbox, Live("dip"), commission=0.0005)
    broker = result.strategy.broker
    with JournalReader(sessions_folder / "dip.sqlite") as journal:
        standing = Standing.of(journal.entries())
    assert standing.cash == pytest.approx(broker.getcash())
    for data in result.strategy.datas:
        position = broker.getposition(data)
        assert standing.held(data._name) == (position.size, pytest.approx(position.price))
    assert [each.client_order_id for each in standing.working()] == list(broker.open_ids)


def test_a_sessions_states_follow_one_another(sandbox: Sandbox, sessions_folder: Path) -> None:
    """The file keeps the last of them."""
    states: list[str] = []
    traded(sandbox, Live("dip", watch=lambda each: states.append(each.state)))
    assert list(dict.fromkeys(states)) in (
        ["starting", "warming up", "running", "over"], ["starting", "warming up", "over"],
    )  # fmt: skip
    file = StatusFile.of(sessions_folder, "dip").read()
    assert file is not None
    assert file.state == "over"


def test_an_error_is_why_it_is_over(sandbox: Sandbox, sessions_folder: Path) -> None:
    """In the status file too."""
    with pytest.raises(KeyError):
        traded(sandbox, Live("dip"), fails_at=9)
    file = StatusFile.of(sessions_folder, "dip").read()
    assert file is not None
    assert (file.state, file.reason) == ("over", "'a mistake in the strategy'")


def test_a_watch_that_fails_ends_no_session(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """It is told, and the strategy trades on."""

    def broken(status: Status) -> None:
        raise RuntimeError("no terminal")

    result = traded(sandbox, Live("dip", watch=broken))
    assert len(result.fills) == 4
    assert "what is shown of the session is not complete: RuntimeError: no terminal" in caplog.text


def test_the_trade_log_has_a_row_for_each_fill(sandbox: Sandbox, sessions_folder: Path) -> None:
    """What was traded, what was held after it, what it made; times in UTC and the exchange's."""
    result = traded(sandbox, Live("dip", trade_log=True), commission=0.0005)
    found = table(sessions_folder / "dip.csv")
    assert tuple(found[0]) == COLUMNS
    assert [(row["symbol"], row["side"], float(row["position"])) for row in found] == [
        ("SPY", "buy", 10), ("IBM", "sell", -7), ("SPY", "sell", 6), ("IBM", "buy", -2),
    ]  # fmt: skip
    assert [float(row["price"]) for row in found] == list(result.fills["price"])
    assert sum(float(row["commission"]) for row in found) == pytest.approx(result.fills["commission"].sum())
    assert float(found[-1]["cumulative"]) == pytest.approx(sum(float(row["realised"]) for row in found))
    assert datetime.fromisoformat(found[0]["at"]) == datetime.fromisoformat(found[0]["local"])
    assert found[0]["local"].endswith("-04:00")


def test_the_trade_log_is_made_again_when_the_session_goes_on(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whatever became of the file: nothing is lost, nothing is doubled."""
    path = tmp_path / "trades.csv"
    traded(sandbox, Live("dip", trade_log=path), stops_at=6)
    whole = path.read_text()
    path.write_text(whole.splitlines()[0] + "\nhalf a li")
    traded(sandbox, Live("dip", trade_log=str(path)), stops_at=6)
    assert path.read_text().startswith(whole)
    ids = [row["execution_id"] for row in table(path)]
    assert len(ids) == len(set(ids)) > 2


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_what_is_written_is_for_its_owner_only(sandbox: Sandbox, sessions_folder: Path) -> None:
    """The status file and the trade log."""
    traded(sandbox, Live("dip", trade_log=True))
    assert {(sessions_folder / name).stat().st_mode & 0o777 for name in ("dip.csv", "dip.status.json")} == {0o600}


def test_a_trade_log_that_cannot_be_written_is_said_before_anything_is_traded(sandbox: Sandbox, tmp_path: Path) -> None:
    """In one line."""
    with pytest.raises(ValueError, match=r"the trade log .* cannot be written"):
        traded(sandbox, Live("dip", trade_log=tmp_path / "nowhere" / "trades.csv"))


def test_no_secret_is_in_anything_that_is_written(sandbox: Sandbox, sessions_folder: Path) -> None:
    """Not in the status file, not in the trade log, not in the journal."""
    traded(sandbox, Live("dip", trade_log=True))
    files = [each for each in sessions_folder.iterdir() if each.is_file()]
    assert len(files) >= 3
    for each in files:
        assert sandbox.secret.encode() not in each.read_bytes()
        assert sandbox.key.encode() not in each.read_bytes()


CHILD = """
import sys
from framework.app.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_after_a_kill_the_trade_log_is_whole_again(sessions_folder: Path, tmp_path: Path) -> None:
    """The process died while it traded; the next start makes the file from the journal."""
    strategy = tmp_path / "busy.py"
    strategy.write_text(
        "import backtrader as bt\nclass Turns(bt.Strategy):\n    def next(self):\n"
        "        self.close() if self.position else self.buy(size=1)\n"
    )
    command = [sys.executable, "-c", CHILD, "live", str(strategy), "--sandbox", "--speed", "600", "--session", "dip"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stderr is not None
        filled = 0
        for line in process.stderr:
            filled += " filled " in line
            if filled == 3:
                break
        process.kill()
    with JournalReader(sessions_folder / "dip.sqlite") as journal:
        kept = [str(row[10]) for row in rows("dip", journal.entries())]
    again = [*command[:-4], "--session", "dip", "-q"]
    assert subprocess.run(again, capture_output=True, cwd=ROOT, timeout=60, check=False).returncode in (0, 2)
    ids = [row["execution_id"] for row in table(sessions_folder / "dip.csv")]
    assert ids[: len(kept)] == kept
    assert len(ids) == len(set(ids))


def test_the_status_file_is_json_for_any_program(sandbox: Sandbox, sessions_folder: Path) -> None:
    """A script reads it with nothing of ours."""
    traded(sandbox, Live("dip"))
    body = json.loads((sessions_folder / "dip.status.json").read_text())
    assert (body["session"], body["state"], body["version"]) == ("dip", "over", 1)

"""What must never happen: a secret written down, real money unasked for, two worlds in one session."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest

from brokers import AlpacaVenue
from feeds import AlpacaBars, SampleBars
from framework import Live, run
from framework.app.sandbox import Sandbox
from framework.errors import ConfigError, SwitchbackError

KEY, SECRET = "AKSHOWNNOWHERE12345", "shown-nowhere-0123456789abcdefghijklmnop"
DAY = "2026-10-05"


class Trades(bt.Strategy):
    """Buys and sells once, and leaves an order."""

    params = (("fails", False),)

    def next(self) -> None:
        if len(self) == 5:
            self.buy(size=10)
        if len(self) == 10:
            self.close()
            self.buy(size=1, exectype=bt.Order.Limit, price=1.0)
        if len(self) == 20:
            self.env.runstop()
        if self.p.fails and len(self) == 12:
            raise ValueError("the strategy's own")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SampleBars(["SPY"], DAY, DAY), key=KEY, secret=SECRET) as served:
        yield served


def live(sandbox: Sandbox, how: Live | bool = True, *, there: Any = None, **more: Any) -> Any:
    access = {**sandbox.access, **(there or {})}
    return run(Trades, source=AlpacaBars(["SPY"], **access), venue=AlpacaVenue(**access), live=how, **more)


def assert_clean(text: str | bytes) -> None:
    shown = text if isinstance(text, str) else text.decode("utf-8", "replace")
    assert KEY not in shown
    assert SECRET not in shown


def test_no_secret_is_in_the_logs_the_journal_the_result_or_a_repr(
    sandbox: Sandbox, sessions_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every logger of ours at DEBUG over a whole session with its lines dropped, and every byte of its journal."""
    caplog.set_level(logging.DEBUG, "switchback")
    sandbox.fault("drop", stream="trade_updates", after=2)
    sandbox.fault("drop", stream="data", after=8)
    result = live(sandbox, Live(session="clean"))
    assert "> POST" in caplog.text
    assert len(result.trades) == 1
    assert_clean(caplog.text)
    assert_clean(f"{result!r} {result} {result.notes}")
    written = [path.read_bytes() for path in sessions_folder.iterdir()]
    assert len(written) >= 2
    for each in written:
        assert_clean(each)


def test_no_secret_is_in_the_reprs_of_what_is_given(sandbox: Sandbox) -> None:
    """Source, venue, and what the command line makes of them."""
    from framework.app.live import Side

    access = sandbox.access
    for each in (AlpacaBars(["SPY"], **access), AlpacaVenue(**access), Side(("SPY",), **access)):
        assert_clean(f"{each!r} {each}")


@pytest.mark.parametrize("wrong", [{"secret": "another"}, {"key": "another"}])
def test_no_secret_is_in_the_error_of_a_refused_key(
    sandbox: Sandbox, wrong: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """What was right of it is not shown either."""
    caplog.set_level(logging.DEBUG, "switchback")
    with pytest.raises(SwitchbackError) as caught:
        live(sandbox, there=wrong)
    assert_clean(f"{caught.value!r} {caught.value} {caplog.text}")


def test_no_secret_is_in_a_strategys_own_failure(sandbox: Sandbox, sessions_folder: Path) -> None:
    """The error is the strategy's, the journal says that it was cut short, and holds no secret."""
    with pytest.raises(ValueError, match="the strategy's own") as caught:
        live(sandbox, Live(session="fails"), fails=True)
    assert_clean(repr(caught.value))
    assert_clean((sessions_folder / "fails.sqlite").read_bytes())


def test_no_secret_is_printed_by_a_whole_live_run(sandbox: Sandbox, sessions_folder: Path, tmp_path: Path) -> None:
    """The command, as talkative as it can be: not on standard output, not on standard error."""
    strategy = Path(__file__).resolve().parents[2] / "strategies" / "sma_cross.py"
    command = [sys.executable, "-m", "framework.app.main", "live", str(strategy), "--symbols", "SPY"]
    keys = {"APCA_API_KEY_ID": KEY, "APCA_API_SECRET_KEY": SECRET, "SWITCHBACK_SESSIONS": str(sessions_folder)}
    done = subprocess.run(
        [*command, "--sandbox", sandbox.url, "-v", "-p", "fast=5", "-p", "slow=8"],
        env={**os.environ, **keys}, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-500:]
    assert "> POST" in done.stderr
    assert_clean(done.stdout)
    assert_clean(done.stderr)


def test_paper_is_the_default_and_real_money_is_refused_before_anything_is_sent(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real venue with no number and with a wrong one: not one order, in an account that would take it."""
    assert AlpacaVenue().paper
    monkeypatch.setattr(AlpacaVenue, "is_real", property(lambda self: True))
    for how in (True, Live(real_money="PA999")):
        with pytest.raises(ConfigError, match="this is real money"):
            live(sandbox, how)
    assert sandbox.state()["requests"].get("orders", 0) == 0
    number = "PA0000000000"
    assert live(sandbox, Live(real_money=number)).session
    assert sandbox.state()["requests"]["orders"] > 0


def test_a_source_that_is_not_live_is_refused(sandbox: Sandbox) -> None:
    """History has no tomorrow; the way to play it is told."""
    with pytest.raises(ConfigError, match="SampleBars is history"):
        run(Trades, source=SampleBars(["SPY"], DAY, DAY), venue=AlpacaVenue(**sandbox.access), live=True)


def test_different_worlds_are_refused(sandbox: Sandbox) -> None:
    """Real prices must not move a sandbox's orders, nor a sandbox's prices real ones."""
    mine, theirs = sandbox.access, {"key": "k", "secret": "s"}
    for prices, orders in ((theirs, mine), (mine, theirs)):
        with pytest.raises(ConfigError, match="of different worlds"):
            run(Trades, source=AlpacaBars(["SPY"], **prices), venue=AlpacaVenue(**orders), live=True)


def test_a_sessions_name_cannot_leave_its_folder(sandbox: Sandbox, sessions_folder: Path) -> None:
    """A name with a path in it is refused before a file is made."""
    with pytest.raises(ConfigError, match="cannot be part of an order's id"):
        live(sandbox, Live(session="../elsewhere"))
    assert not sessions_folder.exists()

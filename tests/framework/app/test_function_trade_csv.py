"""The trade log of a trading function: what reads blockpaca's reads this."""

from __future__ import annotations

import csv
import errno
import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.app.functions import trade_csv
from framework.app.functions.board import TradeUpdate
from framework.app.functions.trade_csv import COLUMNS, HEADER, TradeCsv, check_name
from framework.errors import ConfigError

ID = "buy_long-7-2304b6b1"
PENDING = TradeUpdate(
    ID, "DIA", 0.0, 0.0, "pending_new", "buy", "buy_long", 1766515599.059126, "OrderStatus.PENDING_NEW"
)
NEW = replace(PENDING, status="new", timestamp=1766515599.067043, raw_status="OrderStatus.NEW")
FILLED = replace(
    PENDING, executed_price=484.74, executed_qty=1.0, status="filled", timestamp=1766515599.236655,
    raw_status="OrderStatus.FILLED",
)  # fmt: skip
SEED = """type,client_order_id,ticker,executed_price,executed_qty,status,side,action,timestamp,raw_status
execution,buy_long-7-2304b6b1,DIA,0.0,0.0,pending_new,buy,buy_long,1766515599.059126,OrderStatus.PENDING_NEW
execution,buy_long-7-2304b6b1,DIA,0.0,0.0,new,buy,buy_long,1766515599.067043,OrderStatus.NEW
execution,buy_long-7-2304b6b1,DIA,484.74,1.0,filled,buy,buy_long,1766515599.236655,OrderStatus.FILLED
"""


def logged(folder: Path, *updates: TradeUpdate) -> bytes:
    with TradeCsv(folder, "dip") as log:
        for each in updates:
            log.write(each)
    return log.path.read_bytes()


def originally(*updates: TradeUpdate) -> bytes:
    """Return the rows as blockpaca 0.1.2 makes them: a dict of each message, `csv.DictWriter`, a header before."""
    file = io.StringIO(newline="")
    for number, each in enumerate(updates):
        row = {
            "type": "execution", "client_order_id": each.client_order_id, "ticker": each.ticker,
            "executed_price": float(each.executed_price), "executed_qty": float(each.executed_qty),
            "status": each.status, "side": each.side, "action": each.action, "timestamp": each.timestamp,
            "raw_status": each.raw_status,
        }  # fmt: skip
        writer = csv.DictWriter(file, fieldnames=list(row))
        if number == 0:
            writer.writeheader()
        writer.writerow(row)
    return file.getvalue().encode()


def test_the_seeds_own_rows(tmp_path: Path) -> None:
    """The example of blockpaca's README, byte for byte."""
    assert logged(tmp_path, PENDING, NEW, FILLED) == SEED.replace("\n", "\r\n").encode()


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
amounts = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.builds(TradeUpdate, words, words, amounts, amounts, words, words, words, amounts, words)))
def test_any_rows_are_the_originals_bytes(updates: list[TradeUpdate]) -> None:
    """Whatever is in them: commas, quotes, line breaks."""
    ours = HEADER + b"".join(trade_csv._line(trade_csv._row(each)) for each in updates)
    assert ours == (originally(*updates) or HEADER)


def test_each_row_is_in_the_file_when_write_returns(tmp_path: Path) -> None:
    """A crash right after it loses nothing."""
    with TradeCsv(tmp_path, "dip") as log:
        log.write(PENDING)
        assert log.path.read_bytes() == originally(PENDING)
        log.write(FILLED)
        assert log.path.read_bytes() == originally(PENDING, FILLED)


def test_a_later_session_goes_on_in_the_same_file(tmp_path: Path) -> None:
    """With one header."""
    logged(tmp_path, PENDING)
    assert logged(tmp_path, FILLED) == originally(PENDING, FILLED)


def test_a_session_without_an_order_leaves_a_header(tmp_path: Path) -> None:
    """Which a program can read."""
    assert logged(tmp_path).decode().rstrip() == ",".join(COLUMNS)


def test_an_empty_file_gets_a_header(tmp_path: Path) -> None:
    """As with the original."""
    (tmp_path / "dip.csv").touch()
    assert logged(tmp_path, FILLED) == originally(FILLED)


@pytest.mark.parametrize("cut", range(len(HEADER)))
def test_a_torn_header_is_completed(cut: int, tmp_path: Path) -> None:
    """The machine lost power in the middle of it."""
    (tmp_path / "dip.csv").write_bytes(HEADER[:cut])
    assert logged(tmp_path, FILLED) == originally(FILLED)


@pytest.mark.parametrize("left", [b"execution,buy_lo", b"execution,a,b,c\r"])
def test_after_a_torn_row_the_next_begins_on_a_line_of_its_own(left: bytes, tmp_path: Path) -> None:
    """No row is lost for the one that was."""
    (tmp_path / "dip.csv").write_bytes(originally(PENDING) + left)
    lines = logged(tmp_path, FILLED).split(b"\r\n")
    assert lines[2:] == [left.strip(), originally(FILLED).split(b"\r\n")[1], b""]


def test_a_file_that_was_edited_elsewhere_is_gone_on_with(tmp_path: Path) -> None:
    """A spreadsheet writes other line ends, and a mark at the beginning."""
    (tmp_path / "dip.csv").write_bytes(b"\xef\xbb\xbf" + originally(PENDING).replace(b"\r\n", b"\n"))
    assert logged(tmp_path, FILLED).endswith(originally(PENDING, FILLED).splitlines(keepends=True)[-1])


def test_a_file_that_is_no_trade_log_is_left_alone(tmp_path: Path) -> None:
    """Rows of trades would spoil it."""
    path = tmp_path / "dip.csv"
    path.write_text("date,close\n2026-01-05,101.5")
    with pytest.raises(ConfigError, match=r"is no trade log: it begins with 'date,close\\n'; give another"):
        logged(tmp_path, FILLED)
    assert path.read_text() == "date,close\n2026-01-05,101.5"


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_only_its_owner_may_read_what_is_made(tmp_path: Path) -> None:
    """Amounts and prices are in it; the mode of a file that was there is its owner's choice."""
    logged(tmp_path, FILLED)
    path = tmp_path / "dip.csv"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    logged(tmp_path, FILLED)
    assert path.stat().st_mode & 0o777 == 0o644


def test_the_folder_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one in the home folder, and it stays the same where the function changes the current one."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert TradeCsv("~/a/b", "dip").path == tmp_path / "a" / "b" / "dip.csv"
    monkeypatch.chdir(tmp_path)
    with TradeCsv("logs", "dip") as log:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        log.write(FILLED)
    assert (tmp_path / "logs" / "dip.csv").read_bytes() == originally(FILLED)


@pytest.mark.parametrize("name", ["a/b", "../dip", "a\\b", "", "  ", "a\nb", "a\0b", None, 5])
def test_a_name_is_the_bare_name_of_a_file(name: str) -> None:
    """A path in it is asked for as trade_log_path."""
    with pytest.raises(ConfigError, match="trade_log_name") as raised:
        check_name(name)
    assert str(raised.value).isprintable()


def test_a_good_name_is_returned() -> None:
    """As it is."""
    assert check_name("custom strat.v2") == "custom strat.v2"


def test_no_folder_is_one_line() -> None:
    """Not a TypeError."""
    with pytest.raises(ConfigError, match="trade_log_path None is no folder"):
        TradeCsv(None, "dip")  # type: ignore[arg-type]


def test_what_cannot_be_written_at_the_start_is_one_line(tmp_path: Path) -> None:
    """Before anything is traded."""
    (tmp_path / "file").touch()
    (tmp_path / "dip.csv").mkdir()
    for folder in (tmp_path / "file" / "logs", tmp_path):
        with pytest.raises(ConfigError, match=r"the trade log .*dip\.csv cannot be written \(.*\); give another"):
            TradeCsv(folder, "dip").__enter__()


class Disk:
    """A disk that can be full: then a part of what is written is there, and the rest is not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        monkeypatch.setattr(trade_csv, "_private", lambda path: _File(path, self))


class _File(io.FileIO):
    def __init__(self, path: Path, disk: Disk) -> None:
        super().__init__(path, "a+b")
        self._disk = disk

    def write(self, data: bytes) -> int:  # type: ignore[override]
        if self._disk.is_full and len(data) < 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data[: len(data) // 2] if self._disk.is_full else data)


def test_a_disk_that_fails_later_is_said_once_and_the_rows_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The session goes on; no half row is left, and when there is room again nothing is missing."""
    disk = Disk(monkeypatch)
    with TradeCsv(tmp_path, "dip") as log:
        log.write(PENDING)
        disk.is_full = True
        log.write(NEW)
        log.write(FILLED)
        assert log.path.read_bytes() == originally(PENDING)
        disk.is_full = False
        log.write(FILLED)
    assert log.path.read_bytes() == originally(PENDING, NEW, FILLED, FILLED)
    (warning,) = caplog.messages
    assert "is not complete: No space left on device; the session goes on" in warning


def test_rows_that_never_could_be_written_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At the end; the journal has them."""
    disk = Disk(monkeypatch)
    with TradeCsv(tmp_path, "dip") as log:
        disk.is_full = True
        log.write(NEW)
        log.write(FILLED)
    assert len(caplog.messages) == 2
    assert caplog.messages[-1].startswith("2 rows are missing in the trade log")
    assert {each.name for each in caplog.records} == {"switchback.live"}

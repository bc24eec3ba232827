"""`switchback live --log`: what a session tells, in a file."""

from __future__ import annotations

import json
import logging
import os
import re
from datetime import datetime
from pathlib import Path

import pytest

from feeds import SampleBars
from framework.app.log_file import log_file
from framework.app.main import main
from framework.app.sandbox import Sandbox
from framework.errors import ConfigError

STRATEGY = """
import backtrader as bt

class Buys(bt.Strategy):
    def next(self):
        if len(self) == 2:
            self.buy(size=3)
        if len(self) == 6:
            self.env.runstop()
"""


@pytest.fixture
def strategy(tmp_path: Path) -> str:
    (tmp_path / "buys.py").write_text(STRATEGY)
    return str(tmp_path / "buys.py")


def test_text_is_as_it_is_printed_with_the_day(strategy: str, tmp_path: Path) -> None:
    """In the exchange's time, also where nothing is printed; nobody else may read it."""
    path = tmp_path / "live.log"
    assert main(["live", strategy, "--sandbox", "--symbols", "SPY", "-q", "--log", str(path)]) == 0
    lines = path.read_text().splitlines()
    assert re.fullmatch(r"2026-10-05 09:\d\d:\d\d-04:00  session  buys-\S+, run 1|.*, run 1", lines[0])
    assert any(re.match(r"2026-10-05 09:3\d:00-04:00  SPY      #\d+-\d+ filled 3 at ", line) for line in lines)
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


def test_json_lines_are_for_a_program(strategy: str, tmp_path: Path) -> None:
    """When (UTC), how grave, of what, and the kind and key of the journal's record."""
    path = tmp_path / "live.log"
    words = ["--sandbox", "--symbols", "SPY", "-q", "--session", "dip", "--log", str(path), "--log-format", "json"]
    assert main(["live", strategy, *words]) == 0
    bodies = [json.loads(line) for line in path.read_text().splitlines()]
    (filled,) = [each for each in bodies if " filled 3 " in each["text"]]
    assert (filled["level"], filled["subject"], filled["kind"]) == ("info", "SPY", "update")
    assert filled["key"].startswith("dip-1-")
    assert datetime.fromisoformat(filled["at"]).utcoffset().total_seconds() == 0  # type: ignore[union-attr]


def test_files_are_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full one is put aside, the oldest is let go."""
    monkeypatch.setattr("framework.app.log_file.LARGEST", 200)
    handler = log_file(tmp_path / "live.log")
    for number in range(40):
        handler.handle(logging.LogRecord("switchback.live", logging.INFO, "", 1, "line %d", (number,), None))
    handler.close()
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["live.log", *(f"live.log.{number}" for number in range(1, 6))]
    assert "line 39" in (tmp_path / "live.log").read_text()


def test_a_warning_of_another_part_is_marked(tmp_path: Path) -> None:
    """With the name of the part."""
    handler = log_file(tmp_path / "live.log")
    handler.handle(logging.LogRecord("switchback.socket", logging.WARNING, "", 1, "again", (), None))
    handler.close()
    assert re.search(r"\+00:00  socket   warning: again\n", (tmp_path / "live.log").read_text())


def test_a_log_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """Before anything is traded."""
    with pytest.raises(ConfigError, match=r"the log .* cannot be written"):
        log_file(tmp_path / "nowhere" / "live.log")


def test_no_secret_is_in_any_file(
    strategy: str, tmp_path: Path, sessions_folder: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """With everything told that can be: the log, the lines, the trade log, the status, the journal."""
    path = tmp_path / "live.log"
    with Sandbox(SampleBars(["SPY"], "2026-10-05", "2026-10-05")) as sandbox:
        monkeypatch.setenv("APCA_API_KEY_ID", sandbox.key)
        monkeypatch.setenv("APCA_API_SECRET_KEY", sandbox.secret)
        words = ["--sandbox", sandbox.url, "--symbols", "SPY", "-v", "--log", str(path), "--log-format", "json"]
        assert main(["live", strategy, *words]) == 0
    told = capfd.readouterr()
    files = [path, *(each for each in sessions_folder.iterdir() if each.is_file())]
    texts = [told.out, told.err, *(each.read_bytes().decode(errors="replace") for each in files)]
    assert len(texts) > 5
    assert '"level": "debug"' in path.read_text()
    for secret in (sandbox.key, sandbox.secret):
        assert not any(secret in each for each in texts)

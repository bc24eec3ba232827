"""`--signals` of `switchback backtest` and `switchback live`: AlphaHub's algorithms beside the bars."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework.app.main import main

FOLLOWER = "strategies.signal_follower:SignalFollower"
OF_ONE_DAY = ["--symbols", "SPY,IBM", "--start", "2026-10-05", "--end", "2026-10-05"]


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No account anywhere; sessions in a folder of their own."""
    for name in ("ALPHAHUB_EMAIL", "ALPHAHUB_PASSWORD", "SWITCHBACK_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))


def test_backtest_over_sample_signals(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing but the package is needed."""
    assert main(["backtest", FOLLOWER, *OF_ONE_DAY, "--signals", "sample"]) == 0
    assert "Open at the end" in capsys.readouterr().out


def test_session_in_a_sandbox_of_its_own_follows_sample_signals(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """They are published there by each algorithm that is followed; the journal tells of them."""
    words = ["--symbols", "SPY,IBM", "--sandbox", "--day", "2026-10-05", "--signals", "16", "--signals-tz", "UTC"]
    assert main(["live", FOLLOWER, *words, "--session", "followed"]) == 0
    assert main(["journal", "followed"]) == 0
    told = capsys.readouterr().out
    assert "follows AlphaHub 16" in told
    assert "signals 16 open buy SPY, 0.6 of the capital" in told


def test_backtest_over_a_file_of_signals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table that was written by hand."""
    path = tmp_path / "signals.csv"
    path.write_text("received,algorithm,action,symbol,side\n2026-10-05T14:30:01Z,16,open,SPY,buy\n")
    words = ["--signals", "16", "--signals-tz", "UTC", "--signals-past", str(path)]
    assert main(["backtest", FOLLOWER, *OF_ONE_DAY, *words]) == 0
    assert "SPY" in capsys.readouterr().out.split("Open at the end")[1]


@pytest.mark.parametrize(("words", "says"), [
    (["--signals", "16"], "--signals-tz UTC"),
    (["--signals-tz", "UTC"], "--signals 16"),
    (["--signals-past", "x.csv"], "--signals 16"),
    (["--signals", "16", "--signals-tz", "UTC"], "ALPHAHUB_EMAIL"),
    (["--signals", "16", "--signals-tz", "UTC", "--signals-past", "nothere.csv"], "nothere.csv"),
    (["--signals", "sampel"], "did you mean sample?"),
    (["--signals", "sixteen", "--signals-tz", "UTC"], "'sixteen' is no id"),
    (["--signals", "sample", "--signals-past", "x.csv"], "say whose --signals-past holds"),
    ([], "--signals 16"),
])  # fmt: skip
def test_what_is_lacking_is_told_in_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With what to add, and as the user's own mistake."""
    assert main(["backtest", FOLLOWER, *OF_ONE_DAY, *words]) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(("words", "says"), [
    (["--signals", "16", "--signals-tz", "Mars"], "tz='Mars' is no time zone"),
    (["--signals", "16,x", "--signals-tz", "UTC"], "'x' is no id"),
    (["--signals", "sample"], "--signals 16 --signals-tz UTC"),
])  # fmt: skip
def test_session_is_refused_before_anything_is_asked(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the doctor looks, nor does a sandbox begin."""
    assert main(["live", FOLLOWER, "--sandbox", *words]) == 2
    told = capsys.readouterr()
    assert says in told.err
    assert (told.out, told.err.count("\n")) == ("", 1)

"""`switchback signals`: prints what is published, and ends with Ctrl-C."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from feeds import AlphaHubSignals
from framework.app.main import main
from framework.app.sandbox import Sandbox

BUY = {"symbol": "SPY", "side": "buy", "price": 1.5}


@contextmanager
def printing(sandbox: Sandbox, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command against a sandbox until the block is left."""
    command = [sys.executable, "-m", "framework.app.main", "signals", *words, "--tz", "UTC", "--sandbox", sandbox.url]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stderr is not None
            while "is up" not in (line := process.stderr.readline()):
                assert line or process.poll() is None, "it ended before it was up"
            yield process
        finally:
            process.kill()


def read(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_printed_as_the_example_client_does(number: signal.Signals) -> None:
    """The word, the id, the message; a signal of the system ends it in order."""
    with Sandbox(speed=1.0) as sandbox, printing(sandbox, "14", "16") as process:
        sandbox.publish(16, open=[BUY])
        word, algorithm, info = read(process).rstrip().split(" ", 2)
        process.send_signal(number)
        assert process.wait(10) == 0
    assert (word, algorithm) == ("SIGNAL", "16")
    assert ast.literal_eval(info)["open"][0]["symbol"] == "SPY"


def test_json_is_one_object_a_line() -> None:
    """With the algorithm's id in it."""
    with Sandbox(speed=1.0) as sandbox, printing(sandbox, "16", "--json") as process:
        sandbox.publish(16, open=[BUY], close=[])
        told = json.loads(read(process))
    assert (told["algorithm"], told["open"][0]["side"], told["close"]) == (16, "buy", [])


def test_json_is_what_a_backtest_reads(tmp_path: Path) -> None:
    """The lines as they are printed: what came, when it came, under the names that it had; one that was late is not."""
    path, journal = tmp_path / "past.jsonl", str(tmp_path / "signals.sqlite")
    with Sandbox(speed=1.0) as sandbox, printing(sandbox, "14", "16", "--json", "--journal", journal) as process:
        sandbox.publish(16, open=[BUY, {**BUY, "symbol": "IBM", "weight": 0.25}], quirks=["stray_space", "spaced_key"])
        lines = [read(process)]
        sandbox.publish(14, open=[], close=[{"symbol": "SPY", "side": "sell"}])
        lines.append(read(process))
        sandbox.publish(16, open=[{**BUY, "timestamp": "2020-01-01T00:00:00"}])
        lines.append(read(process))
    path.write_text("".join(lines))
    heard = AlphaHubSignals([14, 16], tz="UTC", past=journal).history()
    assert "late" in json.loads(lines[2])
    assert [len(each.signals) for each in heard] == [2, 1]
    assert AlphaHubSignals([14, 16], tz="UTC", past=path).history() == heard


def test_zone_has_to_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    """It is never assumed; the line says what to type."""
    assert main(["signals", "16"]) == 2
    assert "--tz UTC" in capsys.readouterr().err


def test_wrong_password_is_the_users_own_to_put_right(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, one login, and no password shown."""
    monkeypatch.setenv("ALPHAHUB_EMAIL", "me@example.com")
    monkeypatch.setenv("ALPHAHUB_PASSWORD", "not this one")
    with Sandbox(speed=1.0) as sandbox:
        sandbox.fault("wrong_password", count=0)
        assert main(["signals", "16", "--tz", "UTC", "--base-url", sandbox.url]) == 2
        assert sandbox.market.requests["alphahub_logins"] == 1
    told = capsys.readouterr().err
    assert "ALPHAHUB_PASSWORD" in told
    assert "not this one" not in told


def test_algorithm_that_is_none_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is sent."""
    monkeypatch.setenv("ALPHAHUB_EMAIL", "me@example.com")
    monkeypatch.setenv("ALPHAHUB_PASSWORD", "x")
    assert main(["signals", "minotaur", "--tz", "UTC"]) == 2
    assert "minotaur" in capsys.readouterr().err


def test_port_where_nobody_is_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A sandbox that is not there is not waited for."""
    with Sandbox(speed=1.0) as sandbox:
        url = sandbox.url
    assert main(["signals", "16", "--tz", "UTC", "--sandbox", url]) == 2
    assert "does not answer" in capsys.readouterr().err

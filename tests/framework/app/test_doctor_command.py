"""`switchback doctor`, as a user types it, and what `switchback live` makes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from framework.app.doctor import limits_told
from framework.app.main import main
from framework.app.proxy import Proxy
from framework.app.sandbox import Sandbox
from framework.live.clock import WallClock
from framework.live.journal import SqliteJournal
from framework.live.limits import Limits
from framework.live.records import START

STRATEGY = """
import backtrader as bt

class Averages(bt.Strategy):
    params = (("period", 20),)

    def __init__(self):
        bt.ind.SMA(period=self.p.period)
"""


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's keys are at hand."""
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "SWITCHBACK_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """One that runs, its keys in the environment."""
    with Sandbox() as served:
        monkeypatch.setenv("APCA_API_KEY_ID", served.key)
        monkeypatch.setenv("APCA_API_SECRET_KEY", served.secret)
        yield served


@pytest.fixture
def strategy(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(STRATEGY)
    return f"{path}:Averages"


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, str]]:
    """Run the doctor; return its exit code, and each line by the name of its check."""
    code = main(["doctor", *words])
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = shown.out.partition("\n\n")[0].splitlines()
    return code, {line[9:21].strip(): f"{line[:8].strip()}: {line[22:]}" for line in lines}


def verdicts(lines: dict[str, str], verdict: str) -> set[str]:
    return {name for name, line in lines.items() if line.startswith(f"{verdict}: ")}


def test_a_start_that_is_fit_is_all_yes(
    sandbox: Sandbox, strategy: str, sessions_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each thing that it stands on, the streams and the history too; exit code 0."""
    sandbox.step(30)
    words = [strategy, "--sandbox", sandbox.url, "--symbols", "SPY,IBM", "--session", "mine"]
    code, lines = told(words, capsys)
    assert (code, verdicts(lines, "no") | verdicts(lines, "skipped")) == (0, set())
    assert lines["data"] == "yes: feed iex: 20 bars of the last 10 minutes"
    assert lines["journal"] == "yes: mine is new"
    assert "up to 20 bars" in lines["history"]
    assert len(lines) == 18
    assert list(sessions_folder.iterdir()) == []


def test_what_a_strategy_lacks_is_a_warning(
    sandbox: Sandbox, strategy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may start, and waits; its parameters are those of the start."""
    words = [strategy, "--sandbox", sandbox.url, "--symbols", "SPY", "-p", "period=5000"]
    code, lines = told(words, capsys)
    assert (code, lines["strategy"]) == (0, "yes: Averages, period=5000")
    assert lines["history"].startswith("warning: SPY: 2340 of 5000 bars are there; the session starts, and next waits")


def test_what_is_wrong_is_said_with_what_to_do(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2; a symbol that is none hides neither the stream nor the plan."""
    words = ["nowhere.py", "--sandbox", sandbox.url, "--symbols", "SPYX", "--feed", "sip", "--session", "a/b"]
    code, lines = told(words, capsys)
    assert code == 2
    assert verdicts(lines, "no") == {"symbols", "data", "data stream", "journal", "strategy"}
    assert lines["symbols"].endswith("check the spelling, such as AAPL or BTC/USD")
    assert lines["data"].endswith("take --feed iex, which is free, or a plan with it")
    assert lines["history"] == "skipped: not checked: needs strategy"


def test_no_keys_are_one_no(capsys: pytest.CaptureFixture[str], sessions_folder: Path) -> None:
    """Nothing leaves this machine, and what is here is checked all the same."""
    with SqliteJournal(sessions_folder / "mine.sqlite", WallClock()):
        code, lines = told(["--symbols", "SPY", "--session", "mine"], capsys)
    assert (code, verdicts(lines, "no")) == (2, {"keys", "journal"})
    assert "set APCA_API_KEY_ID and APCA_API_SECRET_KEY" in lines["keys"]
    assert "is being written by another session" in lines["journal"]
    assert lines["account"] == "skipped: not checked: needs keys"


def test_keys_that_others_can_read_are_a_no(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What is wrong with the file is said, and nothing of what is in it."""
    path = tmp_path / "config" / "switchback" / "credentials.toml"
    path.parent.mkdir(parents=True)
    path.write_text('[alpaca]\nkey = "PKMINE"\nsecret = "S3CR3T"\n')
    path.chmod(0o644)
    code, lines = told(["--symbols", "SPY"], capsys)
    assert (code, lines["keys"].startswith("no: ")) == (2, True)
    assert f"type: chmod 600 {path}" in lines["keys"]
    assert not any("PKMINE" in line or "S3CR3T" in line for line in lines.values())


def test_a_sandbox_that_is_not_there_is_one_no(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connection refused, and nobody is told the keys."""
    monkeypatch.setenv("APCA_API_KEY_ID", "PKMINE")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "S3CR3T")
    code, lines = told(["--sandbox", "http://127.0.0.1:9", "--symbols", "SPY"], capsys)
    assert (code, verdicts(lines, "no")) == (2, {"sandbox"})
    assert "does not answer; start one there: switchback sandbox" in lines["sandbox"]


def test_without_symbols_the_account_is_looked_at(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """As a first look, before there is anything to trade."""
    code, lines = told(["--sandbox", sandbox.url], capsys)
    assert (code, verdicts(lines, "skipped")) == (0, {"symbols", "history"})
    assert lines["account"].startswith("yes: the sandbox account that ends in 0000")


def test_a_proxy_is_asked_whose_data_and_account_it_has(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its address and the local key; another sandbox's is a no, in both lines."""
    monkeypatch.setenv("SWITCHBACK_PROXY_KEY", "PXlocal")
    monkeypatch.setenv("SWITCHBACK_PROXY_SECRET", "a-local-secret")
    words = ["--sandbox", sandbox.url, "--symbols", "SPY", "--proxy"]
    with Proxy(upstream=sandbox.url) as proxy:
        code, lines = told([*words, proxy.url], capsys)
    assert code == 0
    assert lines["proxy"] == f"yes: {proxy.url} has /v2/iex of {sandbox.url}"
    assert lines["order proxy"] == f"yes: {proxy.url} hears of this account's orders"
    with Sandbox() as other, Proxy(upstream=other.url, key=other.key, secret=other.secret) as proxy:
        code, lines = told([*words, proxy.url], capsys)
    assert code == 2
    assert lines["proxy"].startswith(f"no: the proxy at {proxy.url} has the data of {other.url}, not of {sandbox.url}")
    assert lines["order proxy"].startswith(f"no: the proxy at {proxy.url} hears of the account")


def test_json_is_an_object_a_line(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """With nothing else beside it."""
    assert main(["doctor", "--sandbox", sandbox.url, "--symbols", "SPY", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {tuple(row) for row in rows} == {("name", "verdict", "text", "remedy")}
    assert {row["name"] for row in rows} >= {"keys", "account", "clock", "data stream", "order stream", "journal"}


def test_an_accounts_session_is_not_anothers(
    sandbox: Sandbox, sessions_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The journal is compared with the account that the keys lead to."""
    with SqliteJournal(sessions_folder / "mine.sqlite", WallClock()) as journal:
        journal.append(START, "mine", {"run": 1, "account": "PA9999", "cash": 1.0})
    code, lines = told(["--sandbox", sandbox.url, "--session", "mine"], capsys)
    assert (code, "ends in 9999, this one in 0000" in lines["journal"]) == (2, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sandbox", "https://api.alpaca.markets"], "is not on this machine"),
        (["--symbols", "SPY", "--feed", "ixe"], "feed 'ixe' is not known (did you mean iex?)"),
        (["--symbols", "spy"], "symbol 'spy' is not one of Alpaca's (did you mean SPY?)"),
    ],
)
def test_options_that_cannot_be_are_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is checked."""
    assert main(["doctor", *words]) == 2
    shown = capsys.readouterr()
    assert (shown.out, message in shown.err, shown.err.count("\n")) == ("", True, 1)


def test_no_secret_is_in_what_is_told(sandbox: Sandbox, strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither when all is well nor when a wrong one is refused; in a process of its own, errors included."""
    command = [sys.executable, "-m", "framework.app.main", "doctor", strategy, "--sandbox", sandbox.url]
    shown = ""
    for secret in (sandbox.secret, "wr0ng-s3cr3t"):
        monkeypatch.setenv("APCA_API_SECRET_KEY", secret)
        done = subprocess.run([*command, "--symbols", "SPY"], capture_output=True, text=True, check=False)
        shown += done.stdout + done.stderr
    assert "Traceback" not in shown
    assert "check APCA_API_KEY_ID" in shown
    assert not [each for each in (sandbox.key, sandbox.secret, "wr0ng-s3cr3t") if each in shown]


def test_help_loads_nothing_heavy() -> None:
    """It answers at once."""
    code = (
        "import sys, contextlib, io\n"
        "from framework.app.main import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main(['doctor', '--help'])\n"
        "sys.exit(bool({'pandas', 'numpy', 'backtrader', 'rich', 'requests', 'aiohttp'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_live_start_that_is_refused_says_all_that_is_wrong(
    sandbox: Sandbox, strategy: str, sessions_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, a line for each, and nothing is begun: there is no journal."""
    words = ["live", strategy, "--sandbox", sandbox.url, "--symbols", "SPYX", "--feed", "sip", "--session", "mine"]
    assert main(words) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("doctor: no: symbols: Alpaca does not know the symbol SPYX; check the spelling")
    assert second.startswith("doctor: no: data: ")
    assert list(sessions_folder.iterdir()) == []


def test_a_live_start_takes_no_connection_for_its_checks(
    sandbox: Sandbox, strategy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The place that a broken connection would keep taken is still there for the session."""
    for stream in ("data", "trade_updates"):
        sandbox.fault("zombie", stream=stream)
    assert main(["live", strategy, "--sandbox", sandbox.url, "--symbols", "SPY,IBM", "-q"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (Limits(), "none are given, but that no position is opened on prices older than 30 s"),
        (Limits(daily_loss=500.0, open_orders=3), "open_orders 3, daily_loss 500.0"),
    ],
)
def test_limits_are_information(limits: Limits, text: str) -> None:
    """What is set, by its name."""
    assert limits_told(limits).text == text


def test_a_session_that_is_halted_is_warned_of(
    sandbox: Sandbox, sessions_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may begin, and says what lifts the halt."""
    main(["halt"])
    capsys.readouterr()
    code, lines = told(["--sandbox", sandbox.url, "--symbols", "SPY"], capsys)
    assert code == 0
    assert lines["kill switch"].endswith("no position is opened until: switchback resume")


def test_an_outage_ends_a_start_with_the_code_that_is_tried_again(
    sandbox: Sandbox, strategy: str, sessions_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A service manager goes on trying; after a wrong key it does not."""
    sandbox.fault("bad_gateway", stream="trading", count=0)
    words = ["live", strategy, "--sandbox", sandbox.url, "--symbols", "SPY"]
    assert main(words) == 1
    assert "doctor: no: account" in capsys.readouterr().err

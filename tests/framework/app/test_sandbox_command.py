"""`switchback sandbox` as a process: its first line, its clock, and its book through a crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

WAIT = 20


class Running:
    """A sandbox in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.first: dict[str, Any] = json.loads(process.stdout.readline())
        self.keys = {"APCA-API-KEY-ID": self.first["key"], "APCA-API-SECRET-KEY": self.first["secret"]}

    def ask(self, method: str, path: str, **more: Any) -> Any:
        url = self.first["url"] + path
        answer = requests.request(method, url, headers=self.keys, timeout=WAIT, **more)
        return answer.json() if answer.content else None

    def order(self, **more: Any) -> Any:
        order = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day", **more}
        return self.ask("POST", "/v2/orders", json=order)

    def step(self) -> Any:
        return self.ask("POST", "/_sandbox/step")

    def book(self) -> Any:
        everything = {"status": "all", "nested": "true"}
        return [
            self.ask("GET", "/v2/orders", params=everything),
            self.ask("GET", "/v2/positions"),
            self.ask("GET", "/v2/account"),
            self.ask("GET", "/v2/account/activities"),
        ]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(WAIT)


@contextmanager
def sandbox(*options: str) -> Iterator[Running]:
    command = [sys.executable, "-m", "framework.app.main", "sandbox", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


def test_the_first_line_tells_where_to_go() -> None:
    """One JSON object: url on loopback, key, secret, pid, AlphaHub's and ALGOGENE's logins; SIGTERM ends it with 0."""
    with sandbox("--lockstep") as running:
        assert set(running.first) == {"url", "key", "secret", "pid", "alphahub", "algogene"}
        assert running.first["url"].startswith("http://127.0.0.1:")
        assert set(running.first["algogene"]) == {"user", "api_key", "accountid"}
        assert running.first["pid"] == running.process.pid
        os.kill(running.first["pid"], signal.SIGTERM)
        assert running.process.wait(WAIT) == 0


def test_everything_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """kill -9 at any time: the same keys, clock and book come back, to the last id, and go on alike."""
    options = ("--lockstep", "--seed", "3", "--partial", "0.5", "--state", str(tmp_path / "book"))
    exits = {"order_class": "bracket", "take_profit": {"limit_price": "999"}, "stop_loss": {"stop_price": "1"}}
    with sandbox(*options) as running:
        running.order(qty="9", client_order_id="first")
        running.step()
        running.order(qty="7", client_order_id="second", **exits)
        resting = running.order(type="limit", limit_price="1.5", client_order_id="third")
        running.step()
        running.ask("PATCH", f"/v2/orders/{resting['id']}", json={"limit_price": "1.6"})
        running.ask("PATCH", "/v2/account/configurations", json={"no_shorting": True})
        before, clock = running.book(), running.ask("GET", "/_sandbox/clock")["now"]
        running.kill()
    with sandbox(*options) as again:
        assert again.first["key"] == running.first["key"]
        assert (again.book(), again.ask("GET", "/_sandbox/clock")["now"]) == (before, clock)
        assert again.order(client_order_id="first")["code"] == 40010001
        assert again.ask("GET", "/v2/account/configurations")["no_shorting"]
        assert again.step()["at"] > clock


def test_signals_survive_a_kill(tmp_path: Path) -> None:
    """Who logged in with what the first line tells sees what a script published, also after kill -9."""
    options = ("--lockstep", "--state", str(tmp_path / "book"))
    with sandbox(*options) as running:
        login = {f"user[{name}]": value for name, value in running.first["alphahub"].items()}
        running.keys = {"Authorization": running.ask("POST", "/api/v1/session", data=login)["data"]["token"]}
        running.step()
        running.ask("POST", "/_sandbox/signals", json={"algorithm": 16, "open": [{"symbol": "SPY", "side": "buy"}]})
        before = running.ask("GET", "/api/v1/algorithms/16/signals")
        running.kill()
    with sandbox(*options) as again:
        again.keys = running.keys
        assert again.ask("GET", "/api/v1/algorithms/16/signals") == before
        assert [each["symbol"] for each in before["data"]["signals"]] == ["SPY"]


@pytest.mark.parametrize("after", [2, 8])
def test_no_acknowledged_order_is_lost_in_a_burst(tmp_path: Path, after: int) -> None:
    """Killed in the middle of a burst, the venue still has every order whose answer came."""
    options = ("--lockstep", "--state", str(tmp_path / "book"))
    with sandbox(*options) as running:
        acknowledged = [running.order(client_order_id=f"order {number}")["id"] for number in range(after)]
        running.kill()
    with sandbox(*options) as again:
        kept = {each["id"] for each in again.ask("GET", "/v2/orders", params={"status": "all"})}
        assert kept == set(acknowledged)


def test_another_tapes_state_is_refused_in_one_line(tmp_path: Path) -> None:
    """Exit 2, and what differs."""
    options = ("--lockstep", "--state", str(tmp_path / "book"))
    with sandbox(*options):
        pass
    command = [sys.executable, "-m", "framework.app.main", "sandbox", *options, "--seed", "9"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=False)
    assert done.returncode == 2
    assert "belongs to another market" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_taken_port_is_said_in_one_line() -> None:
    """Exit 2, and what to try."""
    with sandbox("--lockstep") as running:
        port = running.first["url"].rpartition(":")[2]
        command = [sys.executable, "-m", "framework.app.main", "sandbox", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"port {port} cannot be served" in done.stderr


def test_a_fast_clock_plays_by_itself() -> None:
    """At a minute a millisecond or so, a market order fills without a step."""
    with sandbox("--speed", "3000") as running:
        assert running.ask("GET", "/_sandbox/clock")["mode"] == "accelerated"
        order = running.order(time_in_force="gtc")
        while running.ask("GET", f"/v2/orders/{order['id']}")["status"] != "filled":
            pass


def test_your_own_bars_are_played(tmp_path: Path) -> None:
    """A file of bars in place of the sample."""
    rows = "".join(f"2026-10-05T13:{30 + n}:00Z,5,5,5,5,100\n" for n in range(3))
    (tmp_path / "OWN.csv").write_text("time,open,high,low,close,volume\n" + rows)
    with sandbox("--lockstep", "--bars", str(tmp_path / "OWN.csv"), "--symbols", "OWN") as running:
        running.step()
        assert running.order(symbol="OWN")["status"] == "pending_new"

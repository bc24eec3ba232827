"""What goes wrong with a request: each fault by its name, and what is true afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from sandbox_client import Rest, opened

from brokers.alpaca.sandbox import FAULTS
from framework.app.sandbox import Sandbox
from framework.errors import ConfigError


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def rest(sandbox: Sandbox) -> Rest:
    return Rest(sandbox)


def orders(rest: Rest) -> list[dict[str, Any]]:
    return list(rest.get("/v2/orders", status="all"))


def test_event_first_tells_before_it_answers(sandbox: Sandbox, rest: Rest) -> None:
    """The update is on the stream while the POST still waits for its answer."""
    sandbox.fault("event_first")
    sandbox.fault("stall", seconds=0.2)
    with opened(sandbox) as socket, pytest.raises(requests.ConnectionError):
        rest.send(client_order_id="early")
    with opened(sandbox):
        pass
    assert socket.hear()["data"]["order"]["client_order_id"] == "early"


def test_gateway_timeout_comes_after_the_order_was_taken(sandbox: Sandbox, rest: Rest) -> None:
    """504 with an empty body; the order is found by its id, and the id is used up."""
    sandbox.fault("gateway_timeout", match={"method": "POST"})
    answer = rest.send(client_order_id="mine")
    assert (answer.status_code, answer.content) == (504, b"")
    assert rest.get("/v2/orders:by_client_order_id", client_order_id="mine")["status"] == "new"
    assert rest.send(client_order_id="mine").json()["code"] == 40010001


@pytest.mark.parametrize(("fault", "taken"), [("stall", 1), ("stall_early", 0)])
def test_stall_never_answers(sandbox: Sandbox, rest: Rest, fault: str, taken: int) -> None:
    """The client's own timeout ends it; whether the order was taken, only a look tells."""
    sandbox.fault(fault, match={"method": "POST"}, seconds=0.3)
    with pytest.raises((requests.ConnectionError, requests.ReadTimeout)):
        rest.send()
    assert len(orders(rest)) == taken


def test_cut_answer_hangs_up_on_a_taken_order(sandbox: Sandbox, rest: Rest) -> None:
    """The connection breaks before the answer; the order is there."""
    sandbox.fault("cut_answer", match={"method": "POST"})
    with pytest.raises(requests.ConnectionError):
        rest.send()
    assert len(orders(rest)) == 1


def test_bad_gateway_is_a_page_of_html(sandbox: Sandbox, rest: Rest) -> None:
    """502, no JSON, and nothing was carried out."""
    sandbox.fault("bad_gateway")
    answer = rest.send()
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (502, "text/html")
    assert orders(rest) == []


def test_rate_limited_answers_429_with_headers(sandbox: Sandbox, rest: Rest) -> None:
    """A storm of so many answers; the headers say when to come back."""
    sandbox.fault("rate_limited", count=2)
    statuses = [rest.send().status_code for _ in range(3)]
    assert statuses == [429, 429, 200]
    sandbox.fault("rate_limited")
    answer = rest.send()
    assert (answer.json()["code"], answer.headers["X-RateLimit-Remaining"]) == (42910000, "0")
    assert int(answer.headers["X-RateLimit-Reset"]) > 0


def test_every_answer_tells_the_rate_limit() -> None:
    """200 a minute, one less each time, where it is kept to; in lock-step it is not, and nothing is used up."""
    with Sandbox(limit=200) as kept, Sandbox() as free:
        for sandbox, left in ((kept, [199, 198]), (free, [200, 200])):
            answers = [Rest(sandbox).ask("GET", "/v2/clock").headers for _ in range(2)]
            assert [int(each["X-RateLimit-Remaining"]) for each in answers] == left


def test_the_budget_is_kept_where_asked() -> None:
    """With a limit of two a minute, the third request is refused."""
    with Sandbox(limit=2) as sandbox:
        assert [Rest(sandbox).ask("GET", "/v2/clock").status_code for _ in range(3)] == [200, 200, 429]


def test_no_keys_and_wrong_keys(sandbox: Sandbox) -> None:
    """401 without keys, 403 with those of another environment."""
    rest = Rest(sandbox)
    rest.headers = {}
    assert rest.get("/v2/account") == {"code": 40110000, "message": "request is not authorized"}
    rest.headers = {"APCA-API-KEY-ID": "PK", "APCA-API-SECRET-KEY": "no"}
    assert rest.ask("GET", "/v2/account").status_code == 403


def test_what_is_no_json_is_a_bad_request(rest: Rest) -> None:
    """400 for a body that is none, 404 for a path that is none, 422 for a number that is none."""
    assert rest.ask("POST", "/v2/orders", data="{").json()["code"] == 40010000
    assert rest.get("/v2/nothing") == {"message": "endpoint not found"}
    assert rest.ask("GET", "/v2/orders", params={"limit": "many"}).status_code == 422


def test_faults_come_at_random_by_a_seed(sandbox: Sandbox, rest: Rest) -> None:
    """The same seed and requests go wrong alike."""
    runs = []
    for _ in range(2):
        sandbox.random_faults(7, 0.5, "bad_gateway")
        runs.append([rest.ask("GET", "/v2/clock").status_code for _ in range(12)])
    assert runs[0] == runs[1]
    assert {200, 502} == set(runs[0])


def test_faults_through_the_control_side(sandbox: Sandbox, rest: Rest) -> None:
    """Armed by POST, seen by GET, disarmed by DELETE; an unknown one is answered with the nearest."""
    url = f"{sandbox.url}/_sandbox/faults"
    requests.post(url, json={"fault": "bad_gateway", "count": 5}, timeout=10)
    assert rest.send().status_code == 502
    assert requests.delete(url, timeout=10).json()["armed"] == []
    assert rest.send().status_code == 200
    answer = requests.post(url, json={"fault": "bad_gatway"}, timeout=10)
    assert (answer.status_code, "did you mean bad_gateway?" in answer.json()["message"]) == (422, True)


def test_every_fault_is_known_with_a_line_of_what_it_does(sandbox: Sandbox) -> None:
    """The state lists them; an unknown one is refused."""
    assert FAULTS.items() <= sandbox.state()["faults"]["known"].items()
    with pytest.raises(ConfigError, match="no fault 'dropp'"):
        sandbox.fault("dropp")


def test_the_state_counts_requests_orders_and_events(sandbox: Sandbox, rest: Rest) -> None:
    """What a client asked for, and what it was sent."""
    with opened(sandbox) as socket:
        rest.send()
        rest.ask("GET", "/v2/clock")
        socket.events(1)
        state = requests.get(f"{sandbox.url}/_sandbox/state", timeout=10).json()
    assert (state["requests"], state["sent"]) == ({"trading": 2, "orders": 1}, {"trade_updates": 1})
    assert (state["listening"], state["mode"], state["symbols"]) == ({"trade_updates": 1}, "lockstep", ["SPY", "IBM"])


def test_faults_that_change_the_book_survive_a_restart(tmp_path: Path) -> None:
    """A leg that moved and an order that was rejected are so after a restart too, without the fault armed."""
    state = tmp_path / "book"
    exits = {"take_profit": {"limit_price": "200"}, "stop_loss": {"stop_price": "50"}}
    with Sandbox(state=state) as sandbox:
        rest = Rest(sandbox)
        sandbox.fault("moved_leg")
        rest.send(order_class="bracket", **exits)
        sandbox.step()
        sandbox.fault("rejected")
        rest.send(symbol="IBM")
        before = orders(rest)
    assert sorted(each["status"] for each in before) == ["filled", "held", "new", "rejected", "replaced"]
    with Sandbox(state=state) as again:
        assert orders(Rest(again)) == before


def test_answers_wait_for_the_disk_together(tmp_path: Path) -> None:
    """Many clients at once: each answer is on disk when it comes, and all of them come."""
    with Sandbox(state=tmp_path / "book") as sandbox:
        rest = Rest(sandbox)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: rest.send(type="limit", limit_price="1.5").status_code, range(40)))
        assert answers == [200] * 40
        assert (tmp_path / "book").read_bytes().count(b'"submit"') == 40

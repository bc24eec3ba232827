"""`/stream` of the sandbox: the conversation, and everything that has been seen to go wrong on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from wire import Rest, Socket, opened

from framework.app.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def rest(sandbox: Sandbox) -> Rest:
    return Rest(sandbox)


@pytest.fixture
def socket(sandbox: Sandbox) -> Iterator[Socket]:
    with opened(sandbox) as listening:
        yield listening


def filled(sandbox: Sandbox, rest: Rest) -> None:
    """Let an order of ten fill: `new` and `fill` are told."""
    assert rest.send().status_code == 200
    sandbox.step()


def test_both_forms_of_authentication(sandbox: Sandbox) -> None:
    """The older form and the newer one are both answered as authorized, in binary frames."""
    expected = {"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}}
    with opened(sandbox, listening=False) as socket:
        assert socket.authenticate() == expected
    with opened(sandbox, listening=False) as socket:
        assert socket.say(action="auth", key=sandbox.key, secret=sandbox.secret) == expected


def test_wrong_keys_are_unauthorized(sandbox: Sandbox) -> None:
    """The socket stays open: the right keys may follow."""
    with opened(sandbox, listening=False) as socket:
        assert socket.say(action="auth", key="no", secret="no")["data"]["status"] == "unauthorized"
        assert socket.authenticate()["data"]["status"] == "authorized"


def test_listening_needs_authorization(sandbox: Sandbox) -> None:
    """Listening first is answered as unauthorized, with the action."""
    with opened(sandbox, listening=False) as socket:
        assert socket.listen() == {"stream": "authorization", "data": {"status": "unauthorized", "action": "listen"}}


def test_listening_replaces_the_set(sandbox: Sandbox, rest: Rest, socket: Socket) -> None:
    """An empty list stops the stream; unknown streams are left out of the answer."""
    assert socket.say(action="listen", data={"streams": []})["data"] == {"streams": []}
    filled(sandbox, rest)
    assert socket.say(action="listen", data={"streams": ["trade_updates", "else"]})["data"] == {
        "streams": ["trade_updates"]
    }


def test_nonsense_is_answered(socket: Socket) -> None:
    """A message without an action, and one with an unknown action, leave the socket open."""
    assert socket.say(hello="there")["stream"] == "error"
    assert socket.say(action="dance")["data"]["error"] == "unknown action: dance"


def test_step_counts_what_a_client_reads(sandbox: Sandbox, rest: Rest, socket: Socket) -> None:
    """The running count of `/_sandbox/step` is what the stream has carried, greetings left out."""
    rest.send()
    assert sandbox.step()["sent"] == {"trade_updates": 2}
    assert socket.events(2) == ["new", "fill"]


def test_a_second_client_is_turned_away_and_the_socket_left_open(sandbox: Sandbox, socket: Socket) -> None:
    """406: one connection at a time; on the same socket the client gets in once the slot is free."""
    with opened(sandbox, listening=False) as second:
        assert second.authenticate()["data"]["code"] == 406
        socket.connection.close()
        while second.authenticate()["data"]["status"] != "authorized":
            pass


def test_fault_zombie_keeps_the_slot_of_a_client_that_has_gone(sandbox: Sandbox) -> None:
    """After a lost connection the slot stays taken, and is free when the time is over."""
    sandbox.fault("zombie", stream="trade_updates", seconds=0.3)
    with opened(sandbox) as first:
        first.connection.close()
    with opened(sandbox, listening=False) as second:
        answers = [second.authenticate()["data"]["status"]]
        while answers[-1] != "authorized":
            answers.append(second.authenticate()["data"]["status"])
    assert answers[0] == "unauthorized"


def test_fault_duplicate_sends_the_same_execution_twice(sandbox: Sandbox, rest: Rest, socket: Socket) -> None:
    """Both carry one execution_id: a client that books by it books once."""
    sandbox.fault("duplicate", match={"event": "fill"})
    filled(sandbox, rest)
    socket.hear()
    first, second = socket.hear(), socket.hear()
    assert first == second
    assert first["data"]["execution_id"]


def test_fault_missing_never_sends_an_update(sandbox: Sandbox, rest: Rest, socket: Socket) -> None:
    """The fill is in the book, and nobody was told."""
    sandbox.fault("missing", match={"event": "fill"})
    filled(sandbox, rest)
    filled(sandbox, rest)
    assert socket.events(3) == ["new", "new", "fill"]
    assert rest.get("/v2/positions")[0]["qty"] == "20"


def test_fault_reordered_sends_an_update_after_the_next(sandbox: Sandbox, rest: Rest, socket: Socket) -> None:
    """The fill comes before the order was told to be new."""
    sandbox.fault("event_first")
    sandbox.fault("reordered", match={"event": "fill"})
    rest.send()
    rest.send(symbol="IBM")
    sandbox.step()
    heard = [socket.hear()["data"] for _ in range(4)]
    assert [(each["event"], each["order"]["symbol"]) for each in heard[2:]] == [("fill", "IBM"), ("fill", "SPY")]


def test_fault_late_lets_others_pass(sandbox: Sandbox, rest: Rest, socket: Socket) -> None:
    """An update that is held back comes after those of the next instant."""
    sandbox.fault("late", match={"event": "fill"}, seconds=0.5)
    filled(sandbox, rest)
    filled(sandbox, rest)
    events = socket.events(4)
    assert sorted(events) == ["fill", "fill", "new", "new"]
    assert events[:2] == ["new", "new"]


def test_fault_null_data_sends_an_empty_message(sandbox: Sandbox, rest: Rest, socket: Socket) -> None:
    """A message whose data is null comes before the update."""
    sandbox.fault("null_data")
    filled(sandbox, rest)
    assert socket.hear() == {"stream": "trade_updates", "data": None}


def test_fault_drop_cuts_the_socket(sandbox: Sandbox, rest: Rest, socket: Socket) -> None:
    """No closing handshake; what was to be sent is lost, and there is no replay."""
    sandbox.fault("drop", stream="trade_updates", match={"event": "fill"})
    filled(sandbox, rest)
    assert socket.events(1) == ["new"]
    with pytest.raises(ConnectionClosed):
        socket.hear()


def test_fault_mute_says_nothing_while_the_socket_is_open(sandbox: Sandbox, rest: Rest, socket: Socket) -> None:
    """Updates are swallowed; pings are still answered."""
    sandbox.fault("mute", stream="trade_updates", count=0)
    filled(sandbox, rest)
    with pytest.raises(TimeoutError):
        socket.hear(timeout=0.1)
    assert socket.connection.ping().wait(timeout=10)


def test_fault_half_closed_leaves_pings_unanswered(sandbox: Sandbox, rest: Rest, socket: Socket) -> None:
    """Nothing comes and nothing is read: only a timeout of one's own notices."""
    sandbox.fault("half_closed", stream="trade_updates")
    filled(sandbox, rest)
    assert not socket.connection.ping().wait(timeout=0.1)


def test_fault_slow_holds_messages_back(sandbox: Sandbox, rest: Rest, socket: Socket) -> None:
    """Nothing is lost, and the order is kept."""
    sandbox.fault("slow", stream="trade_updates", count=2, seconds=0.05)
    filled(sandbox, rest)
    assert socket.events(2) == ["new", "fill"]


def bracket(rest: Rest, sandbox: Sandbox) -> list[str]:
    """Buy with exits around the market; return the ids of take-profit and stop."""
    exits = {"take_profit": {"limit_price": "200"}, "stop_loss": {"stop_price": "50"}}
    order = rest.send(order_class="bracket", **exits).json()
    sandbox.step()
    return [leg["id"] for leg in order["legs"]]


def test_fault_silent_sibling_never_tells_of_the_held_legs_end(sandbox: Sandbox, rest: Rest, socket: Socket) -> None:
    """The stop is cancelled with the take-profit, and the stream does not say so."""
    profit, stop = bracket(rest, sandbox)
    sandbox.fault("silent_sibling")
    rest.ask("DELETE", f"/v2/orders/{profit}")
    rest.send()
    assert socket.events(6) == ["new", "fill", "new", "held", "canceled", "new"]
    assert rest.get(f"/v2/orders/{stop}")["status"] == "canceled"


def test_fault_moved_leg_goes_on_under_another_id(sandbox: Sandbox, rest: Rest, socket: Socket) -> None:
    """The stop that was held is replaced without a word; the new one is linked both ways."""
    sandbox.fault("moved_leg")
    _, stop = bracket(rest, sandbox)
    old = rest.get(f"/v2/orders/{stop}")
    new = rest.get(f"/v2/orders/{old['replaced_by']}")
    assert (old["status"], new["status"], new["replaces"], new["stop_price"]) == ("replaced", "held", stop, "50")
    rest.send()
    assert socket.events(5) == ["new", "fill", "new", "held", "new"]


def test_fault_rejected_comes_after_the_answer(sandbox: Sandbox, rest: Rest, socket: Socket) -> None:
    """The POST is answered 200, then the venue rejects."""
    sandbox.fault("rejected")
    order = rest.send().json()
    assert socket.events(2) == ["new", "rejected"]
    assert rest.get(f"/v2/orders/{order['id']}")["status"] == "rejected"


def test_fault_cancel_rejected_leaves_the_order_alive(sandbox: Sandbox, rest: Rest, socket: Socket) -> None:
    """204, then order_cancel_rejected: the order fills all the same."""
    order = rest.send().json()
    sandbox.fault("cancel_rejected")
    assert rest.ask("DELETE", f"/v2/orders/{order['id']}").status_code == 204
    sandbox.step()
    assert socket.events(3) == ["new", "order_cancel_rejected", "fill"]

"""The one crossing between two threads."""

import asyncio
import threading

import pytest

from framework.errors import ConnectionLost, SwitchbackError
from framework.live.bridge import Bridge
from framework.live.io_thread import IoThread


def test_news_are_taken_in_their_order() -> None:
    """What is posted first is waited for first, and nothing is lost."""
    bridge = Bridge()
    for each in range(100):
        bridge.post(each)
    assert [bridge.wait(0) for _ in range(100)] == list(range(100))
    assert bridge.wait(0) is None
    assert (bridge.posted, bridge.taken) == (100, 100)


def test_a_post_wakes_the_engine() -> None:
    """A wait without an end is over as soon as something arrives from the other thread."""
    bridge = Bridge()
    threading.Thread(target=bridge.post, args=("bar",)).start()
    assert bridge.wait() == "bar"


def test_what_ended_the_io_side_is_raised_after_the_news_before_it() -> None:
    """The engine hears all that was said, then why there is no more; the first reason counts, again and again."""
    bridge = Bridge()
    bridge.post("fill")
    bridge.fail(ConnectionLost("Alpaca", "gone"))
    bridge.fail(ConnectionLost("Alpaca", "another"))
    assert bridge.wait(0) == "fill"
    for _ in range(2):
        with pytest.raises(ConnectionLost, match="gone"):
            bridge.wait(0)


def test_commands_are_obeyed_in_the_io_thread_in_their_order() -> None:
    """The engine's thread sends; the loop's thread carries out, one after another."""
    bridge, obeyed = Bridge(), []
    with IoThread("io-under-test") as io:
        bridge.attach(io.loop, lambda command: obeyed.append((command, threading.current_thread().name)))
        for each in range(3):
            bridge.send(each)
        io.call(asyncio.sleep(0))
    assert obeyed == [(each, "io-under-test") for each in range(3)]


def test_a_command_is_never_lost_in_silence() -> None:
    """Before the I/O side has begun, and after it has ended, a send raises."""
    bridge = Bridge()
    with pytest.raises(SwitchbackError, match="not begun"):
        bridge.send("order")
    with IoThread() as io:
        bridge.attach(io.loop, print)
    with pytest.raises(SwitchbackError, match="has ended"):
        bridge.send("order")
    bridge.fail(ConnectionLost("Alpaca", "why it ended"))
    with pytest.raises(ConnectionLost, match="why it ended"):
        bridge.send("order")


def test_an_error_of_a_call_is_the_callers() -> None:
    """What a coroutine raises in the I/O thread is raised where it was asked for."""

    async def fails() -> None:
        raise ConnectionLost("Alpaca", "no route")

    with IoThread() as io, pytest.raises(ConnectionLost, match="no route"):
        io.call(fails())


def test_a_command_that_fails_does_not_take_the_others_along() -> None:
    """What was sent together is carried out one by one."""
    bridge, obeyed = Bridge(), []

    def obey(command: int) -> None:
        obeyed.append(command)
        if command == 1:
            raise ValueError("this one cannot be done")

    with IoThread("io-under-test") as io:
        io.loop.set_exception_handler(lambda loop, context: None)
        bridge.attach(io.loop, obey)
        bridge.send(1, 2, 3)
        io.call(asyncio.sleep(0))
    assert obeyed == [1, 2, 3]

"""A live session in a notebook's kernel: the stop button ends it cleanly, and so does `.stop()`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

from feeds import SampleBars
from framework.app.sandbox import Sandbox

DEADLINE = 60

BEGIN = """
import backtrader as bt
from brokers import AlpacaVenue
from feeds import AlpacaBars
from framework import run

class Buys(bt.Strategy):
    def next(self):
        if len(self) == 2:
            self.buy(size=1, exectype=bt.Order.Limit, price=1.0)
        if len(self) == 4:
            print("four bars", flush=True)

access = {access!r}
how = dict(source=AlpacaBars(["SPY"], **access), venue=AlpacaVenue(**access), live=True, warmup=0)
"""

SHOW = """
print(result.strategy.broker.get_orders_open(), "interrupted" in result.notes)
"""


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A kernel as a notebook has it."""
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(DEADLINE)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SampleBars(["SPY"], "2026-10-05", "2026-10-05"), speed=600) as served:
        yield served


def played(kernel: Any, code: str, on_text: Any = lambda text: None, pictures: list[str] | None = None) -> str:
    """Run a cell; return what it printed, and let `on_text` hear of each piece. An error fails the test."""
    _, client = kernel
    pictures = [] if pictures is None else pictures
    asked = client.execute(code)
    told = ""
    while True:
        message = client.get_iopub_msg(timeout=DEADLINE)
        if message["parent_header"].get("msg_id") != asked:
            continue
        body = message["content"]
        if message["msg_type"] == "stream" and body["name"] == "stdout":
            told += body["text"]
            on_text(body["text"])
        elif message["msg_type"] in ("display_data", "update_display_data"):
            pictures.append(body["data"].get("text/html", ""))
        elif message["msg_type"] == "error":
            pytest.fail("\n".join(body["traceback"]))
        elif message["msg_type"] == "status" and body["execution_state"] == "idle":
            return told


def test_stop_button_ends_the_session_cleanly(kernel: Any, sandbox: Sandbox) -> None:
    """The cell gives its result, the entry is cancelled, and the kernel goes on."""
    manager, _ = kernel
    played(kernel, BEGIN.format(access=sandbox.access))

    def press(text: str) -> None:
        if "four bars" in text:
            manager.interrupt_kernel()

    played(kernel, "result = run(Buys, **how)", press)
    assert played(kernel, SHOW).split() == ["[]", "True"]


def test_session_in_the_background_is_stopped_from_another_cell(kernel: Any, sandbox: Sandbox) -> None:
    """The first cell returns at once and shows the session; the handle stops it and gives its result."""
    played(kernel, BEGIN.format(access=sandbox.access))
    assert played(kernel, "running = run(Buys, background=True, **how)\nprint(running.is_running)") == "True\n"
    pictures: list[str] = []
    told = played(kernel, "running.stop(30)\nresult = running.result()" + SHOW, pictures=pictures)
    assert told.split() == ["[]", "True"]
    assert "Buys" in pictures[-1]
    assert "over" in pictures[-1]

"""The display in a notebook: in a real kernel, updated from another thread."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from framework.live.notebook import html, shown
from framework.live.status import Message, Status

AT = datetime(2026, 10, 5, 14, 0, tzinfo=UTC)


def test_a_status_as_html_is_escaped_and_coloured() -> None:
    """What a venue says is text."""
    page = html(Status("dip", AT, state="running", messages=(Message(AT, "x", "<script>alert()</script>", True),)))
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert re.search(r'<span style="[^"]*color', page)


def test_without_a_notebook_nothing_is_shown() -> None:
    """A script goes on without."""
    assert shown("dip") is None


@pytest.fixture
def kernel() -> Iterator[BlockingKernelClient]:
    manager, client = start_new_kernel()
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


CELL = """
import threading
from dataclasses import replace
from datetime import UTC, datetime
from framework.live.notebook import shown
from framework.live.status import Status

take = shown("dip")
status = Status("dip", datetime(2026, 10, 5, 14, 0, tzinfo=UTC), state="running")
thread = threading.Thread(target=take, args=(replace(status, run=7),))
thread.start()
thread.join()
"""


def test_a_display_in_a_cell_is_updated_from_another_thread(kernel: BlockingKernelClient) -> None:
    """One output, shown first and then brought up to date."""
    heard: list[dict[str, Any]] = []
    kernel.execute_interactive(CELL, output_hook=heard.append, timeout=60)
    assert [each for each in heard if each["msg_type"] == "error"] == []
    displays = [each for each in heard if each["msg_type"] in ("display_data", "update_display_data")]
    first, second = displays
    assert first["content"]["transient"] == second["content"]["transient"]
    assert "starting" in first["content"]["data"]["text/html"]
    assert "run 7" in second["content"]["data"]["text/html"]

"""The example script of ALGOGENE's REST API, as it was published, against the sandbox.

It is no part of the repository: it is read out of `../shared/seeds`, where that is there, and mended where it cannot
run: `json` is imported, the address and the account are the sandbox's, and its minutes pass when the test says so.
"""

from __future__ import annotations

import ast
import os
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from framework.app.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]


class Enough(Exception):
    """As many rounds as were asked for."""


@pytest.fixture(scope="session")
def script() -> str:
    folder = Path(os.environ.get("SWITCHBACK_SHARED_DATA") or ROOT.parent / "shared" / "data").parent / "seeds"
    path = folder / "algogene.txt"
    if not path.is_file():
        pytest.skip("no algogene.txt in ../shared/seeds")
    whole = path.read_text().partition("Full Python Script")[2].partition("\nResult\n")[0]
    return whole[whole.index("import requests") :]


def mended(script: str, sandbox: Sandbox) -> str:
    access = sandbox.algogene
    for published, ours in (
        ('"https://algogene.com/rest/v1"', f"{access['base_url']}/rest/v1"),
        ('"YOUR_API_KEY"', access["api_key"]),
        ('"YOUR_USER_ID"', access["user"]),
        ('"YOUR_ACCOUNT_ID"', access["accountid"]),
    ):
        assert published in script
        script = script.replace(published, repr(ours))
    script = script.replace("from datetime import datetime, timedelta", "from datetime import timedelta")
    return script.replace("from time import sleep, time", "import json")


def minutes(sandbox: Sandbox, count: int) -> dict[str, Any]:
    """Return a clock and a `sleep` with which each wait is a minute, also of the sandbox."""

    class Clock(datetime):
        @classmethod
        def utcnow(cls) -> datetime:
            return now[0]

    def sleep(seconds: float) -> None:
        now[0] += timedelta(minutes=1)
        passed.append(sandbox.step())
        if len(passed) == count:
            raise Enough

    now = [datetime(2026, 10, 5, 13, 30)]  # noqa: DTZ001  (naive, as the script's own)
    passed = list[Any]()
    return {"datetime": Clock, "sleep": sleep}


def test_script_completes_three_rounds(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It opens by chance, asks for what is open and closes it: what it prints are the sandbox's answers."""
    random.seed(4)
    with Sandbox() as sandbox, pytest.raises(Enough):
        exec(mended(script, sandbox), minutes(sandbox, 8))
    told = [line.partition("...")[0].strip() for line in capsys.readouterr().out.splitlines()]
    assert min(told.count(each) for each in ("open_order", "query_order", "close_order")) >= 3


def test_answers_of_the_script_are_those_that_were_published(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An order is pending when it is taken; a close is submitted, and done a minute later."""
    random.seed(4)
    with Sandbox() as sandbox, pytest.raises(Enough):
        exec(mended(script, sandbox), minutes(sandbox, 8))
    answers = [ast.literal_eval(line.partition("...")[2].strip()) for line in capsys.readouterr().out.splitlines()]
    assert {each["status"] for each in answers if "tradeID" in each} == {"PENDING_TO_FILL"}
    assert [each for each in answers if str(each.get("res")).startswith("Submitted close order request")]

"""`AlphaHubSignals`: what a session needs of it, and what it refuses."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import pytest
from drills.signals_stage import Stage, staged
from memory.loop import run

from feeds import AlphaHubSignals
from feeds.alphahub.protocol import BASE_URL
from framework.errors import AuthenticationError, ConfigError
from framework.model import Link, Signals
from framework.ports import LiveSignalSource, SignalSource

ACCOUNT = {"email": "me@example.com", "password": "hush hush"}


def test_it_is_a_live_source_of_signals() -> None:
    """By its ports, with its algorithms as texts."""
    source = AlphaHubSignals([16, "14"], tz="UTC", **ACCOUNT)
    assert isinstance(source, LiveSignalSource)
    assert (source.publisher, source.algorithms, source.base_url) == ("AlphaHub", ("16", "14"), BASE_URL)


def test_secrets_are_both_and_no_repr_shows_them() -> None:
    """An e-mail is nobody's business either."""
    source = AlphaHubSignals([16], tz="UTC", **ACCOUNT)
    assert source.secrets == ("me@example.com", "hush hush")
    assert repr(source) == "AlphaHubSignals(['16'], tz='UTC')"


def test_account_is_looked_for_when_it_is_needed(nobody: Path) -> None:
    """Not when the source is made, nor for a file: a backtest needs none."""
    (nobody / "past.jsonl").write_text('{"received": "2026-10-05T14:30:01", "algorithm": 16, "open": []}\n')
    source = AlphaHubSignals([16], tz="UTC", past=nobody / "past.jsonl")
    assert isinstance(source, SignalSource)
    assert source.history() == ()
    with pytest.raises(ConfigError, match="ALPHAHUB_EMAIL and ALPHAHUB_PASSWORD"):
        _ = source.secrets


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"tz": None}, "none is assumed"), ({"tz": "Mars"}, "is no time zone"), ({"delay": -1}, "delay=-1"),
        ({"delay": True}, "delay=True"), ({"delay": float("nan")}, "delay=nan"), ({"connections": 0}, "connections=0"),
        ({"late": 0}, "late=0"), ({"usual": "10:30"}, "whose clock"), ({"alarm": "noon", "zone": "UTC"}, "noon"),
        ({"base_url": "http://alphahub.us"}, "in the clear"), ({"base_url": "alphahub"}, "base_url"),
        ({"names": {"MYL": ""}}, "map of symbols"), ({"past": "nowhere.csv"}, "is no file"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_when_it_is_made(settings: dict[str, Any], why: str) -> None:
    """In one line, by the name of the parameter."""
    with pytest.raises(ConfigError, match=why) as raised:
        AlphaHubSignals([16], **{"tz": "UTC", **settings})
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("algorithms", [[], 16, "16", ["Minotaur"], [0]])
def test_algorithms_are_a_list_of_ids(algorithms: Any) -> None:
    """One alone is a list of one."""
    with pytest.raises(ConfigError, match="such as"):
        AlphaHubSignals(algorithms, tz="UTC")


def listened(scene: Any) -> Stage:
    """Play a scene with a source that listens, in memory; what it emits is acted on."""

    async def play() -> Stage:
        async with staged(3) as stage, stage.sandbox.http("AlphaHub", limit=None) as http:
            source = AlphaHubSignals([14, 16], tz="UTC", base_url=stage.sandbox.url, **ACCOUNT)
            await scene(stage, source, stage.session(http))
            return stage

    return run(play())


def test_it_emits_batches_between_links() -> None:
    """Up, what is published, and nothing of its own is left running when it is cancelled."""

    async def scene(stage: Stage, source: AlphaHubSignals, session: Any) -> None:
        running = asyncio.create_task(source.listen(session, stage.act))
        await stage.sandbox.clock.sleep(10)
        await stage.publish(Random(1), 16)
        await stage.sandbox.clock.sleep(1)
        running.cancel()
        await asyncio.wait([running])

    stage = listened(scene)
    assert [type(each) for each in stage.told] == [Link, Signals]
    assert stage.broken() == []


def test_wrong_password_ends_listening() -> None:
    """Waiting does not cure it."""

    async def scene(stage: Stage, source: AlphaHubSignals, session: Any) -> None:
        stage.sandbox.fault("wrong_password", count=0)
        with pytest.raises(AuthenticationError):
            await source.listen(session, stage.act)

    listened(scene)

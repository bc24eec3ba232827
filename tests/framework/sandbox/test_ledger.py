"""The state file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from framework.errors import ConfigError
from framework.sandbox.ledger import Ledger

TAPE = {"tape": "abc", "seed": 1}


def written(path: Path, *records: str) -> None:
    ledger = Ledger(path, TAPE)
    for each in records:
        ledger.append(each, {"n": 1})
    asyncio.run(ledger.synced())
    ledger.close()


def read(path: Path) -> list[str]:
    ledger = Ledger(path, TAPE)
    ledger.close()
    return [kind for kind, _ in ledger.records]


def test_records_come_back_in_order(tmp_path: Path) -> None:
    """Through a stop and a start, and another."""
    written(tmp_path / "state", "one", "two")
    written(tmp_path / "state", "three")
    assert read(tmp_path / "state") == ["one", "two", "three"]


def test_synced_puts_records_on_disk(tmp_path: Path) -> None:
    """Another reader sees them before the file is closed; many that wait share one write."""
    ledger = Ledger(tmp_path / "state", TAPE)

    async def many() -> None:
        for number in range(50):
            ledger.append("order", {"n": number})
        await asyncio.gather(*(ledger.synced() for _ in range(50)))

    asyncio.run(many())
    assert (tmp_path / "state").read_bytes().count(b"\n") == 51
    ledger.close()


def test_a_line_cut_off_by_a_crash_is_dropped(tmp_path: Path) -> None:
    """It was never acknowledged; what follows starts on a line of its own."""
    path = tmp_path / "state"
    written(path, "one")
    path.write_bytes(path.read_bytes() + b'["two",{"n"')
    written(path, "three")
    assert read(path) == ["one", "three"]


def test_a_damaged_line_is_refused(tmp_path: Path) -> None:
    """Damage before the last line is no crash: it is named by its line."""
    path = tmp_path / "state"
    written(path, "one", "two")
    path.write_bytes(path.read_bytes().replace(b'["one"', b'["one'))
    with pytest.raises(ConfigError, match="line 2 is damaged"):
        Ledger(path, TAPE)


def test_another_markets_state_is_refused(tmp_path: Path) -> None:
    """What differs is named."""
    written(tmp_path / "state", "one")
    with pytest.raises(ConfigError, match=r"belongs to another market \(its seed differs\)"):
        Ledger(tmp_path / "state", {**TAPE, "seed": 2})


def test_a_state_file_has_one_sandbox_at_a_time(tmp_path: Path) -> None:
    """Two would mix their books."""
    first = Ledger(tmp_path / "state", TAPE)
    with pytest.raises(ConfigError, match="in use by another sandbox"):
        Ledger(tmp_path / "state", TAPE)
    first.close()
    Ledger(tmp_path / "state", TAPE).close()


def test_without_a_path_nothing_is_kept() -> None:
    """And nothing is waited for."""
    ledger = Ledger(None, TAPE)
    ledger.append("one", {})
    asyncio.run(ledger.synced())
    assert ledger.records == []

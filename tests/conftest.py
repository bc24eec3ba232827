"""What several test modules share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def sessions_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Journals go to a folder of the test's own, also those of a process it starts."""
    folder = tmp_path / "sessions"
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(folder))
    return folder


@pytest.fixture(scope="session")
def real_bars_path() -> Path:
    """The Parquet file of real SPY, IBM and BAC minutes; the test is skipped where it is not at hand.

    It is no part of the repository: `SWITCHBACK_SHARED_DATA` names its folder, else `../shared/data`.
    """
    folder = Path(os.environ.get("SWITCHBACK_SHARED_DATA") or ROOT.parent / "shared" / "data")
    path = folder / "us-equity-minute-bars.parquet"
    if not path.is_file():
        pytest.skip(f"no {path.name} in SWITCHBACK_SHARED_DATA or ../shared/data")
    return path

"""What several test modules share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from framework.sandbox.market import Market

# How long an example takes says how busy the machine is. What else is set stays: in CI examples are always the same.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def sessions_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Journals go to a folder of the test's own, also those of a process it starts; nobody's proxy is in between."""
    folder = tmp_path / "sessions"
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(folder))
    monkeypatch.delenv("SWITCHBACK_PROXY", raising=False)
    monkeypatch.delenv("SWITCHBACK_SANDBOX", raising=False)
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


@pytest.fixture(autouse=True)
def no_secret_is_left(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test does with a sandbox's keys, none is in a file that it leaves, on standard error or in a log.

    A sandbox's own state file holds them: it is the other side.
    """
    given: set[str] = set()
    usual = Market._credentials

    def noted(market: Market, key: str, secret: str) -> tuple[str, str]:
        found = usual(market, key, secret)
        given.update(each for each in found if len(each) > 8)
        return found

    monkeypatch.setattr(Market, "_credentials", noted)
    yield
    if given:
        left = [*_files(request.node.funcargs.get("tmp_path"), given), *_told(request.node, given)]
        assert left == [], "a key or a secret is in what the test has left"


def _files(folder: Path | None, given: set[str]) -> Iterator[str]:
    for path in folder.rglob("*") if folder is not None else ():
        content = path.read_bytes() if path.is_file() else b""
        is_own = b'"tape"' in content[:400]  # a sandbox's state file begins with its tape
        if not is_own and any(each.encode() in content for each in given):
            yield str(path)


def _told(item: pytest.Item, given: set[str]) -> Iterator[str]:
    for _, name, text in item._report_sections:
        if name != "stdout" and any(each in text for each in given):
            yield name

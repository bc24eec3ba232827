"""What tests of several feeds begin with."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """No account of AlphaHub anywhere, and a folder in which modules are found."""
    for name in ("ALPHAHUB_EMAIL", "ALPHAHUB_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SWITCHBACK_CREDENTIALS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("creds", "alphahub", "alphahub.creds"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield tmp_path
    for name in ("creds", "alphahub", "alphahub.creds"):
        sys.modules.pop(name, None)

"""What the README and the documents say, run as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from framework.app.main import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


SNIPPETS = [(page, each) for page in PAGES for each in blocks(page, "python")]


@pytest.mark.parametrize(("page", "code"), SNIPPETS, ids=[page.name for page, _ in SNIPPETS])
def test_python_snippets_run(page: Path, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each Python block of the documents is a program."""
    monkeypatch.setenv("SWITCHBACK_SESSIONS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(page), "exec"), {"__name__": "__main__"})


def test_the_readmes_command_runs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first shell line that needs no file of the user's own."""
    lines = [line for block in blocks(ROOT / "README.md", "sh") for line in block.splitlines()]
    command = next(line for line in lines if line.startswith("switchback backtest strategies/"))
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(command)[1:]) == 0
    assert "Round trips" in capsys.readouterr().out


def test_the_readmes_live_command_runs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that needs no account: a session on a sandbox of its own."""
    lines = [line for block in blocks(ROOT / "README.md", "sh") for line in block.splitlines()]
    command = next(line for line in lines if line.startswith("switchback live") and "--sandbox" in line)
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(command)[1:]) == 0
    assert "switchback journal" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link of a document names a file that is there."""
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []

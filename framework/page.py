"""What a chart and a report share as files: a template of ours, and a checked place to write to."""

from __future__ import annotations

import html
import os
from importlib.resources import files
from pathlib import Path

from framework.errors import ConfigError

PathLike = str | os.PathLike[str]


def filled(template: str, **parts: str) -> str:
    """Return one of our templates with each `{{name}}` replaced; the parts are HTML (or JavaScript) already."""
    text = files("framework").joinpath(template).read_text(encoding="utf-8")
    pieces = text.split("{{")
    return pieces[0] + "".join(_placed(piece, parts) for piece in pieces[1:])


def _placed(piece: str, parts: dict[str, str]) -> str:
    name, _, rest = piece.partition("}}")
    return parts[name] + rest


def written(path: PathLike, text: str) -> Path:
    """Write a page and return where; raise `ConfigError` where that is not possible."""
    target = checked(path)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error.strerror}; try another file or folder") from error
    return target


def checked(path: PathLike) -> Path:
    """Return a path to write a file to; raise `ConfigError` where its folder is missing or it is a folder."""
    target = Path(path).expanduser()
    if not os.path.isdir(target.parent):  # unlike Path.is_dir, False for a name that is too long
        raise ConfigError(f"cannot write {target}: there is no folder {target.parent}; make it first")
    if os.path.isdir(target):
        raise ConfigError(f"cannot write {target}: it is a folder; add a file name, such as {target / 'page.html'}")
    return target


def table(headings: list[str], rows: list[list[str]], left: int = 0) -> str:
    """Return an HTML table of cells that are HTML already; the first `left` columns are text, the rest numbers."""
    head = "".join(f"<th{_side(at, left)}>{html.escape(each)}</th>" for at, each in enumerate(headings))
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _side(at: int, left: int) -> str:
    return ' class="text"' if at < left else ""

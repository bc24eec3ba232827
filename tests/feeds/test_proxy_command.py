"""`switchback proxy`: its first line, its end, its figures."""

from __future__ import annotations

import signal

import pytest
from data_sandbox import KEY, SECRET, sandbox
from proxy_stage import proxied, started

from feeds.alpaca.proxy.figures import METRICS, Counts, Standing, described, exposition, read
from framework.app.main import main

PRICES = {"SPY": [100.0, 101.0, 102.0]}


def test_first_line_is_what_a_client_needs_and_a_signal_ends_it() -> None:
    """Local keys, never the account's; it ends with 0."""
    with sandbox(PRICES) as venue, started("--port", "0", "--upstream", venue.url) as (running, first):
        assert set(first) == {"url", "key", "secret", "pid"}
        assert {first["key"], first["secret"]}.isdisjoint({KEY, SECRET})
        assert first["url"].startswith("http://127.0.0.1:")
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
        assert SECRET not in running.communicate()[1]


def test_account_without_the_feeds_plan_is_said_and_ends_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """409 is nothing that waiting cures: one line, and the code for what only the user can put right."""
    monkeypatch.setenv("APCA_API_KEY_ID", KEY)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
    with sandbox(PRICES) as venue:
        assert main(["proxy", "--feed", "sip", "--port", "0", "--upstream", venue.url]) == 2
    told = capsys.readouterr().err.splitlines()
    assert 'error 409 "insufficient subscription"' in told[-1]


def test_status_shows_the_figures_of_the_one_that_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Found by its port."""
    with proxied(PRICES) as front, front.client(bars=["SPY"]):
        front.venue.step(2)
        front.until(lambda: front.figures()["messages_sent_total"] == 2)
        assert main(["proxy", "--status", "--port", front.proxy.url.rpartition(":")[2]]) == 0
    told = capsys.readouterr().out
    assert "/v2/iex is up, 0 reconnects" in told
    assert "2 received, 2 sent" in told


def test_status_without_a_proxy_says_what_to_try(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody listens there."""
    assert main(["proxy", "--status", "--port", "1"]) == 2
    assert "no proxy answers on port 1; start one: switchback proxy" in capsys.readouterr().err


def test_feed_without_a_stream_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is connected."""
    assert main(["proxy", "--feed", "otc", "--port", "0"]) == 2
    assert "has no stream of its own" in capsys.readouterr().err


def test_upstream_that_would_send_the_keys_in_the_clear_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Only this machine may be spoken to without TLS."""
    assert main(["proxy", "--port", "0", "--upstream", "http://example.com"]) == 2
    assert "--upstream http://example.com would send the keys in the clear" in capsys.readouterr().err


def test_figures_are_prometheus_text_and_come_back_from_it() -> None:
    """Each has its help and its type; labels are the streams' paths."""
    standing = Standing("/v2/iex", True, 3, 4, 5, 0.25, Counts(received=6, sent=7, relayed=2, relay_seconds=0.5))
    text = exposition([standing])
    for name, (kind, _) in METRICS.items():
        assert f"# TYPE switchback_proxy_{name} {kind}" in text
    figures = read(text)
    assert 'switchback_proxy_clients{stream="/v2/iex"} 3' in text.splitlines()
    assert (figures["/v2/iex"]["lag_seconds"], figures["/v2/iex"]["messages_sent_total"]) == (0.25, 7)
    assert "5 bytes, 250.0 ms; on average 250.00 ms" in described(figures)
    with pytest.raises(ValueError, match="no figures"):
        read("<html>")

"""What the doctor asks of AlphaHub: one login."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from feeds import AlphaHubSignals
from feeds.alphahub.checkup import account
from framework.app.sandbox import Sandbox
from framework.live.checkup import Verdict, examined


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as served:
        yield served


def test_account_that_is_let_in(sandbox: Sandbox) -> None:
    """Whom it is to follow is told, the account is not."""
    (finding,) = examined([account(AlphaHubSignals([14, 16], tz="UTC", **sandbox.alphahub))])
    assert (finding.verdict, finding.line) == (Verdict.YES, "signals: AlphaHub let us in, to follow 14, 16")


def test_password_that_is_wrong(sandbox: Sandbox) -> None:
    """Sent once, and told with what to look at."""
    sandbox.fault("wrong_password", count=0)
    (finding,) = examined([account(AlphaHubSignals([16], tz="UTC", **sandbox.alphahub))])
    assert finding.verdict is Verdict.NO
    assert "ALPHAHUB_PASSWORD" in finding.line
    assert sandbox.market.requests["alphahub_logins"] == 1

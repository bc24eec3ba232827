"""The proxy over TLS and at a socket file: the same streams and history, and clear words where that cannot be."""

from __future__ import annotations

import signal
import socket
import ssl
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from data_sandbox import KEY, SECRET, Client, sandbox
from proxy_stage import Front, fed, following, played, proxied, started
from tls_socket import TlsSocket
from websockets.sync.client import connect, unix_connect

from feeds.alpaca.proxy.places import bound
from framework.app.main import main
from framework.app.proxy import Proxy
from framework.errors import ConfigError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PRICES: dict[str, Any] = {"SPY": [100.0 + at for at in range(5)]}

AUTHORITY = trustme.CA()


def issued(folder: Path, name: str = "proxy") -> tuple[Path, Path]:
    """Write a certificate for this machine and its key, as PEM files."""
    made = AUTHORITY.issue_cert("127.0.0.1", "localhost")
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(b"".join(each.bytes() for each in made.cert_chain_pems))
    key.write_bytes(made.private_key_pem.bytes())
    return certificate, key


@pytest.fixture
def trusted(tmp_path: Path) -> str:
    """A file with the certificate of who issued the others."""
    path = tmp_path / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose name is short enough for a socket file in it."""
    with tempfile.TemporaryDirectory(prefix="sb", dir="/tmp") as folder:
        yield Path(folder)


def subscribed(client: Client, front: Front) -> None:
    assert client.read()[0]["msg"] == "connected"
    assert client.ask(front.auth)["msg"] == "authenticated"
    assert client.ask({"action": "subscribe", "bars": ["SPY"]})["bars"] == ["SPY"]


def heard(client: Client, front: Front) -> list[float]:
    """Return the closes of the two bars that are played now."""
    front.venue.step(2)
    found: list[float] = []
    while len(found) < 2:
        found += [each["c"] for each in client.read()]
    return found


def test_streams_and_history_over_tls(tmp_path: Path, trusted: str) -> None:
    """For who trusts the certificate; who does not ends the handshake."""
    with proxied(PRICES, tls=issued(tmp_path)) as front:
        assert front.proxy.url.startswith("https://127.0.0.1:")
        with TlsSocket(front.proxy.websocket + "/v2/iex", trusted) as socket_:
            client = Client(socket_)
            subscribed(client, front)
            assert heard(client, front) == [100.0, 101.0]
        query = {"symbols": "SPY", "timeframe": "1Min", "feed": "iex"}
        url = front.proxy.url + "/v2/stocks/bars"
        answer = requests.get(url, params=query, headers=front.login, verify=trusted, timeout=10)
        assert [each["c"] for each in answer.json()["bars"]["SPY"]] == [100.0, 101.0]
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(front.proxy.websocket + "/v2/iex")


def test_alpaca_py_over_tls(tmp_path: Path, trusted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unmodified: the certificate is trusted by the environment."""
    monkeypatch.setenv("SSL_CERT_FILE", trusted)
    with proxied(PRICES, tls=issued(tmp_path)) as front:
        keys = (front.proxy.key, front.proxy.secret)
        with following(front.proxy.websocket, keys, "SPY", nudge=front.venue.step) as follower:
            front.venue.step(3)
            assert follower.take(3) == played(front.venue, "SPY")


def test_client_over_tls_that_never_reads_is_sent_away(tmp_path: Path, trusted: str) -> None:
    """What waits for it is counted there too."""
    with fed(tls=issued(tmp_path), budget=100_000) as (feeder, front):
        own = socket.socket()
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        own.connect(("127.0.0.1", int(front.proxy.url.rpartition(":")[2])))
        with TlsSocket(front.proxy.websocket + "/v2/iex", trusted, own) as sleeping:
            client = Client(sleeping)
            client.read()
            client.ask(front.auth)
            client.ask({"action": "subscribe", "trades": ["SPY"]})
            for number in range(4_000):
                feeder.send({"T": "t", "S": "SPY", "i": number, "x": "x" * 1_000})
            front.until(lambda: front.figures()["slow_clients_total"] == 1)


def wrong(case: str, folder: Path) -> tuple[Path, Path]:
    certificate, key = issued(folder)
    match case:
        case "missing":
            return folder / "none.pem", key
        case "mismatch":
            return certificate, issued(folder, "other")[1]
        case "swapped":
            return key, certificate
        case _:
            certificate.write_text("no certificate")
            return certificate, key


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("missing", "none.pem cannot be read: No such file or directory"),
        ("mismatch", r"other.key is not the key of .*proxy.pem; give both of one"),
        ("swapped", "are not a certificate and its key in PEM"),
        ("text", "are not a certificate and its key in PEM"),
    ],
)
def test_files_that_are_no_certificate_are_said(case: str, words: str, tmp_path: Path) -> None:
    """In one line, before anything is served."""
    with (
        pytest.raises(ConfigError, match=words) as raised,
        Proxy(upstream="http://127.0.0.1:1", key=KEY, secret=SECRET, tls=wrong(case, tmp_path)),
    ):
        pass
    assert "\n" not in str(raised.value)


def test_key_that_is_encrypted_is_said_and_not_asked_for(tmp_path: Path) -> None:
    """Nobody may be there to type a password."""
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    certificate, key = issued(tmp_path)
    plain = load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hidden")))
    with (
        pytest.raises(ConfigError, match="or the key is encrypted"),
        Proxy(upstream="http://127.0.0.1:1", key=KEY, secret=SECRET, tls=(certificate, key)),
    ):
        pass


def test_streams_and_history_at_a_socket_file(short: Path) -> None:
    """Only its owner may connect, with the local keys all the same; it is removed at the end."""
    path = short / "proxy.sock"
    with proxied(PRICES, unix=path) as front:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with unix_connect(str(path), front.proxy.websocket + "/v2/iex") as own:
            client = Client(own)
            subscribed(client, front)
            assert heard(client, front) == [100.0, 101.0]
        assert main(["proxy", "--status", "--unix", str(path)]) == 0
    assert not path.exists()


def test_socket_file_of_a_dead_proxy_is_replaced(short: Path) -> None:
    """One that was killed leaves it behind."""
    path = short / "proxy.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    with proxied(PRICES, unix=path) as front, unix_connect(str(path), front.proxy.websocket + "/v2/iex") as own:
        assert Client(own).read()[0]["msg"] == "connected"


def test_socket_file_of_a_living_proxy_is_left_alone(short: Path) -> None:
    """And still serves."""
    path = short / "proxy.sock"
    with proxied(PRICES, unix=path) as front:
        with (
            pytest.raises(ConfigError, match=r"somebody listens at .* already"),
            Proxy(key=KEY, secret=SECRET, unix=path),
        ):
            pass
        with unix_connect(str(path), front.proxy.websocket + "/v2/iex") as own:
            assert Client(own).read()[0]["msg"] == "connected"


def test_of_many_that_start_at_once_one_has_the_socket_file(short: Path) -> None:
    """Each finds a dead one's: none removes what another has just made of it."""
    path = short / "proxy.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    together, done = threading.Barrier(8), threading.Barrier(8)
    found: list[str] = []

    def start() -> None:
        together.wait(10)
        try:
            with bound(path):
                found.append("served")
                done.wait(10)
        except ConfigError:
            found.append("refused")
            done.wait(10)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(found) == ["refused"] * 7 + ["served"]


def test_places_that_cannot_be_served_are_said(short: Path, tmp_path: Path) -> None:
    """A file that is something else is never removed."""
    file = short / "notes.txt"
    file.write_text("kept")
    for path, words in (
        (file, "is there, and no socket; try another path"),
        (short / "no" / "folder", "cannot be served: No such file or directory"),
        (short / ("x" * 200), "cannot be served: AF_UNIX path too long"),
    ):
        with pytest.raises(ConfigError, match=words), Proxy(key=KEY, secret=SECRET, unix=path):
            pass
    assert file.read_text() == "kept"
    with (
        pytest.raises(ConfigError, match="--tls and --unix are two ways"),
        Proxy(key=KEY, secret=SECRET, unix=short / "s", tls=issued(tmp_path)),
    ):
        pass


def test_first_line_says_how_it_is_served(short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its figures are found in both ways, and a signal removes the file."""
    path = short / "proxy.sock"
    certificate, key = map(str, issued(tmp_path))
    with sandbox(PRICES) as venue:
        with started("--unix", str(path), "--upstream", venue.url) as (running, first):
            assert (first["url"], first["unix"]) == ("http://localhost", str(path))
            assert main(["proxy", "--status", "--unix", str(path)]) == 0
            running.send_signal(signal.SIGTERM)
            assert running.wait(60) == 0
            assert not path.exists()
        with started("--tls", certificate, key, "--port", "0", "--upstream", venue.url) as (running, first):
            assert first["url"].startswith("https://127.0.0.1:")
            assert main(["proxy", "--status", "--port", first["url"].rpartition(":")[2]]) == 0
            running.send_signal(signal.SIGTERM)
            assert running.wait(60) == 0
    assert main(["proxy", "--status", "--unix", str(path)]) == 2
    assert f"no proxy answers at {path}; start one" in capsys.readouterr().err

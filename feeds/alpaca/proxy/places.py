"""Where a proxy is served: at a port of this machine, with TLS or without, or at a socket file of its owner's."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import stat
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from framework.errors import ConfigError

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Tls:
    """The files, in PEM, of a certificate (with its chain) and its key, which is not encrypted."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Read them; raise `ConfigError` for what cannot be read, is neither, or does not belong together."""
        for path in (self.certificate, self.key):
            _check_readable(path)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self.certificate, self.key, password=lambda: "")  # else it is asked for
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise ConfigError(f"--tls: {self.key} is not the key of {self.certificate}; give both of one") from None
            raise ConfigError(
                f"--tls: {self.certificate} and {self.key} are not a certificate and its key in PEM, or the key is "
                "encrypted; name the certificate first"
            ) from None
        return context


@dataclass(frozen=True, slots=True)
class Place:
    """Where to serve: at `port` (0: any), with `tls` there; or at the socket file `unix`."""

    port: int = 0
    tls: Tls | None = None
    unix: Path | None = None

    @contextlib.asynccontextmanager
    async def serving(self, application: web.Application) -> AsyncIterator[str]:
        """Serve until the block is left; yield the URL. Raise `ConfigError` where that cannot be."""
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        with contextlib.ExitStack() as files:
            await runner.setup()
            try:
                yield await self._started(runner, files)
            finally:
                await runner.cleanup()

    async def _started(self, runner: web.AppRunner, files: contextlib.ExitStack) -> str:
        if self.unix is not None:
            await web.SockSite(runner, files.enter_context(bound(self.unix))).start()
            return "http://localhost"  # it names no host here: HTTP wants one in a header
        context = self.tls.context() if self.tls else None
        try:
            await web.TCPSite(runner, HOST, self.port, ssl_context=context).start()
        except OSError as failure:
            raise ConfigError(
                f"port {self.port} cannot be served on {HOST}: {failure.strerror}; try another, or 0 for any"
            ) from None
        return f"http{'s' if context else ''}://{HOST}:{runner.addresses[0][1]}"


@contextlib.contextmanager
def bound(path: Path) -> Iterator[socket.socket]:
    """Listen at a socket file of mode 0600 until the block is left, and remove it then.

    One that nobody listens at is replaced. Raise `ConfigError` where somebody does, or where it is something else.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise ConfigError("--unix needs a system with sockets in files; leave it out, and use --port")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as own:
        try:
            with _alone(path.absolute().parent):
                _make_room(path)
                own.bind(str(path))
                path.chmod(0o600)  # nobody can connect before it listens
                own.listen(128)
        except OSError as failure:
            raise ConfigError(f"--unix: {path} cannot be served: {_reason(failure)}; try another path") from None
        inode = path.stat().st_ino
        try:
            yield own
        finally:
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_ino == inode:  # else another proxy has it
                    path.unlink()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other proxy look and bind in a folder meanwhile: both might replace the same dead one's file."""
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_room(path: Path) -> None:
    """Remove the socket file of a dead proxy; raise `ConfigError` for what is not to be removed."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigError(f"--unix: {path} is there, and no socket; try another path")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as other:
        other.setblocking(False)
        try:
            other.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # it is busy
    raise ConfigError(f"--unix: somebody listens at {path} already; stop that proxy, or try another path")


def _check_readable(path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as failure:
        raise ConfigError(f"--tls: {path} cannot be read: {_reason(failure)}") from None


def _reason(failure: OSError) -> str:
    return failure.strerror or str(failure)

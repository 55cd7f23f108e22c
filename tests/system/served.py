"""Servers in processes of their own, as system tests talk to them."""

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
READY_S = 120


@contextlib.contextmanager
def served(releases: Path, kept: Path, *, keys: Path | None = None) -> Iterator[str]:
    """A server of a release, or of a folder of them; its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "serving", "--releases", str(releases), "--port", str(port)]
    command += ["--kept", str(kept), "--most-together", "2"]
    command += [] if keys is None else ["--keys", str(keys)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        begun = time.monotonic()
        while not is_ready(url):
            assert process.poll() is None, "the server ended"
            assert time.monotonic() - begun < READY_S, "the server is not ready"
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


def is_ready(url: str) -> bool:
    """Whether a release answers there."""
    try:
        with urllib.request.urlopen(f"{url}/v2/health/ready") as answer:
            return answer.status == 200
    except OSError:
        return False


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]

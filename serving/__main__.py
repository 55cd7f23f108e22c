"""Serves releases: `python -m serving RELEASES`, which `recsys serve` runs."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import tyro
import uvicorn
from threadpoolctl import threadpool_limits

from serving.app import make_admin_app, make_app
from serving.logs import JsonLines
from serving.server import Server
from serving.settings import Settings

NEAR = ("127.0.0.1", "localhost", "::1")
WRONG = 2  # exit status


class Second(uvicorn.Server):
    """A server that leaves signals to the first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main(settings: Settings) -> int:
    """Serves until it is told to stop; what is under way is answered first."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    if settings.keys is None and settings.host not in NEAR:
        print(
            f"serving: {settings.host} can be reached by others, so the server wants keys, got "
            "none: make some with python -m serving.keys.",
            file=sys.stderr,
        )
        return WRONG
    threadpool_limits(1)  # batches are small, and threads of a product wait by spinning
    _remember_compiled(settings.folder / "compiled")
    try:
        server = Server(settings)
        server.releases.start()  # before anybody listens: what is wrong is said in one sentence
        asyncio.run(_serve(server, settings))
    except (ValueError, OSError) as error:
        print(f"serving: {' '.join(str(error).split())}", file=sys.stderr)
        return WRONG
    return 0


def _remember_compiled(folder: Path) -> None:
    """Lets JAX keep what it compiles, so that the next start of the same releases is quick."""
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


async def _serve(server: Server, settings: Settings) -> None:
    first = uvicorn.Server(_config(make_app(server), settings.host, settings.port))
    if settings.admin_port is None:
        await first.serve()
        return
    second = Second(_config(make_admin_app(server), settings.host, settings.admin_port))
    behind = asyncio.create_task(second.serve())
    await first.serve()
    second.should_exit = True
    await behind


def _config(app, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app, host=host, port=port, access_log=False, log_config=None, server_header=False
    )


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Settings)))

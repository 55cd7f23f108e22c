"""A straightforward server of the same release: FastAPI, one call of tower and index a request.

python -m experiments.benchmarks.fastapi_peer --releases RELEASE --port PORT
"""

import dataclasses
from pathlib import Path

import numpy as np
import tyro
import uvicorn
from fastapi import FastAPI  # pyright: ignore[reportMissingImports]  # an extra
from pydantic import BaseModel  # pyright: ignore[reportMissingImports]
from threadpoolctl import threadpool_limits

from recsys.release import Release


@dataclasses.dataclass(frozen=True)
class Peer:
    """What it serves, and where."""

    releases: Path
    port: int


class Asked(BaseModel):
    """What a client asks."""

    user: str
    k: int = 10
    exclude: list[str] = []


def make_app(release: Release) -> FastAPI:
    """The application: as one writes it in an afternoon."""
    app, items = FastAPI(), release.items
    assert items is not None

    @app.get("/v2/health/ready")
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    @app.post("/v1/recommend")
    async def recommend(asked: Asked) -> dict:
        encoded = release.encode([{release.user_column: asked.user}])
        vectors = release.users(encoded.batch)
        named = [row for row in map(items.row_of, asked.exclude) if row is not None]
        excluded = np.concatenate([np.array(named, np.int64), release.seen(asked.user)])
        found = release.index.search(vectors, asked.k, excluded=excluded[None])
        return {
            "release": release.id,
            "items": [
                {"id": items.ids[row], "score": score, **items.get(row)}
                for row, score in zip(found.ids[0].tolist(), found.scores[0].tolist(), strict=True)
            ],
        }

    return app


if __name__ == "__main__":
    threadpool_limits(1)
    choice = tyro.cli(Peer)
    opened = Release.open(choice.releases)
    opened.warm((1,))
    uvicorn.run(make_app(opened), port=choice.port, log_level="warning")

"""THE REGISTRY of routes: one line a file."""

from serving.routes import explain, explore, inference, items, predict, recommend, releases, status
from serving.server import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    *recommend.ENDPOINTS,
    *predict.ENDPOINTS,
    *explain.ENDPOINTS,
    *explore.ENDPOINTS,
    *items.ENDPOINTS,
    *releases.ENDPOINTS,
    *inference.ENDPOINTS,
    *status.ENDPOINTS,
)

"""Models: tables and towers together. THE REGISTRY: one line a model."""

from recsys.models.dcn import DCN

MODELS = {"dcn": DCN}

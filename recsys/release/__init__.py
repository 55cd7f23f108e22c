"""Releases: what training hands to a server, read with NumPy and `jax.export` alone."""

from recsys.release.encoding import Encoded
from recsys.release.items import Items
from recsys.release.manifest import FORMAT, ReleaseError
from recsys.release.people import Known, Lists
from recsys.release.release import Release

__all__ = ["FORMAT", "Encoded", "Items", "Known", "Lists", "Release", "ReleaseError"]

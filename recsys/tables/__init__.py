"""Tables: keys to vectors. THE REGISTRY: one line a method."""

from recsys.tables.full import Full
from recsys.tables.hash import Hash
from recsys.tables.method import Method

METHODS: dict[str, type[Method]] = {
    "full": Full,
    "hash": Hash,
}

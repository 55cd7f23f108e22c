"""Words to one vector. THE REGISTRY: one line a text tower.

Each is a frozen spec that builds a module over the vectors of words in their order, zero where
there is none. It starts as the sum of the words at length 1; an empty text is the zero vector.
"""

from recsys.towers.text.bag import Bag
from recsys.towers.text.recurrent import Recurrent
from recsys.towers.text.terms import TermWeights, combined, hashed_terms
from recsys.towers.text.transformer import Transformer

TextTower = Bag | Recurrent | Transformer
TEXT_TOWERS = {"bag": Bag, "recurrent": Recurrent, "transformer": Transformer}

__all__ = [
    "TEXT_TOWERS",
    "Bag",
    "Recurrent",
    "TermWeights",
    "TextTower",
    "Transformer",
    "combined",
    "hashed_terms",
]

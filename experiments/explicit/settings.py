"""The settings of spaces, tried on validation, and how documents are linked before.

The explicit space starts from links (`recsys.explicit.linking`): a start at random, with the
hundreds of occupations that there are to learn from, ends far below words compared as they are. The
bias keeps what the tower says of a skill apart until it is sure of it. The latent twin has the same
encoder, reads the same links, and takes as many steps; `latent_words` is one that reads none.
`links` and `explicit` have words beside their skills, `links_skills` has skills alone.
"""

import dataclasses

from recsys.explicit import SpaceSettings
from recsys.features.ngrams import Ngrams
from recsys.losses import PositiveUnlabelled
from recsys.tables import Hash

NAMED, UNNAMED = ("explicit", "links", "links_skills"), ("latent", "latent_words")
MODELS = (*NAMED, *UNNAMED)
SEEDED = ("explicit", "latent", "latent_words")  # models whose training draws
SHARES = {"links": 0.6, "links_skills": 0.0}  # of scores that words have, where nothing is trained
LINKED = ("explicit", *SHARES, "latent")  # models that read links
EXAMPLES = 2.0  # how much documents count for links beside a skill's own words
SHARPNESS = 1.5  # of likenesses
GAIN = 10.0  # of links: the scale of a skill's logits

TWIN = SpaceSettings(
    words=64,
    ngrams=Ngrams(pairs=False, pieces=0),
    table=Hash(rows=16_384),
    width=128,
    rate=1e-3,
    dense_rate=1e-3,
    epochs=3,
    patience=2,
)
EXPLICIT = dataclasses.replace(TWIN, bias=-5.0, known_loss=PositiveUnlabelled(), known_weight=0.1)


def settings_of(model: str) -> SpaceSettings:
    """The settings of a model that is trained."""
    return EXPLICIT if model == "explicit" else dataclasses.replace(TWIN, head="latent")

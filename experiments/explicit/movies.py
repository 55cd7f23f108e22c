"""Films as a task: which film do those like who like this one, and which genres are the reason?

A use that has nothing to do with jobs. Text is the abstract that DBpedia has of a film, skills are
the 18 genres of MovieLens-1M, and nobody states any. Both profiles and jobs are films: a profile is
the first half of an abstract's sentences, a job the second half, so that no sentence is in both.

- Films are held out one by one, at random.
- Relevance is ratings, of which genres know nothing: 4 for the film itself, and 3, 2, 1 for the
  first two, the next three and the next five films of the split by cosine of who liked them (4 or 5
  stars), among films that at least 20 people liked.
- The second opinion is genres: 1 for each that two films share.
"""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from scipy import sparse
from scipy.sparse import csr_array
from sklearn.preprocessing import normalize

from experiments.explicit.protocol import Part, Protocol, check, deal, graded
from recsys.data.datasets import movielens_1m
from recsys.explicit import Documents, Inventory, Relevance

FOLDER, ABSTRACTS = "ml-1m", "dbpedia_abstracts.json"
LIKED, LIKERS = 4, 20  # stars; people
NEAREST = (3.0,) * 2 + (2.0,) * 3 + (1.0,) * 5
SENTENCE = re.compile(r"(?<=[.!?])\s+")


def protocol(folder: Path, *, seed: int = 0) -> Protocol:
    """The task over MovieLens-1M and its abstracts; the seed deals the films."""
    columns = movielens_1m.load(folder)
    liked = columns["rating"] >= LIKED
    movies, first, of = np.unique(columns["movie"], return_index=True, return_inverse=True)
    people = np.unique(columns["user"], return_inverse=True)[1]
    places = (of[liked], people[liked])
    likes = csr_array(
        (np.ones(liked.sum(), np.float32), places), shape=(len(movies), max(people) + 1)
    )
    genres: list[tuple[str, ...]] = columns["genres"][first].tolist()
    told = abstracts(folder)
    texts = [told.get(str(movie), "") for movie in movies.tolist()]
    return arrange(texts, genres, likes, seed=seed)


def arrange(
    texts: list[str],
    genres: list[tuple[str, ...]],
    likes: csr_array,
    *,
    seed: int,
    likers: int = LIKERS,
) -> Protocol:
    """The task over films, who liked them and what they are.

    Args:
        likers: people that have to like a film.
    """
    halves = [halved(text) for text in texts]
    popular = np.diff(likes.indptr) >= likers
    usable = np.flatnonzero(popular & np.array([bool(first) for first, _ in halves]))
    inventory = Inventory(tuple(sorted({genre for own in genres for genre in own})))
    matrix = sparse.lil_array((len(texts), len(inventory)), dtype=np.float32)
    for film, own in enumerate(genres):
        matrix[film, [inventory.names.index(genre) for genre in own]] = 1
    links = csr_array(matrix)
    among: Any = links
    nobody = csr_array((len(texts), len(inventory)), dtype=np.float32)
    rng = np.random.default_rng(seed)
    parts, relation = {}, csr_array((len(texts),) * 2, dtype=np.float32)
    for name, members in deal([str(film) for film in usable], rng=rng).items():
        own = usable[members]
        first, second = (
            Documents(tuple(halves[film][side] for film in own), nobody[: len(own)], among[own])
            for side in (0, 1)
        )
        near = nearest(likes, own)
        relation = relation + near
        shared = csr_array(among @ among.T)
        told = Relevance(first, second, graded(near, own, own))
        parts[name] = Part(told, own, own, graded(shared, own, own))
    made = Protocol("ml-1m", inventory, parts)
    check(made, supervised=links, relation=relation)
    return made


def abstracts(folder: Path) -> dict[str, str]:
    """The abstract of each film, by its id.

    Raises:
        FileNotFoundError: the file is missing.
    """
    for place in (folder, folder / FOLDER):
        for path in (place / ABSTRACTS, place / f"{ABSTRACTS}.gz"):
            if path.is_file():
                opened = gzip.open if path.suffix == ".gz" else open
                with opened(path, "rt", encoding="utf-8") as lines:
                    return json.load(lines)
    raise FileNotFoundError(f"Films want {ABSTRACTS}, and {folder} lacks it: give its folder.")


def halved(text: str) -> tuple[str, str]:
    """The first and the second half of a text's sentences; nothing where there is only one."""
    sentences = list(dict.fromkeys(SENTENCE.split(text.strip())))
    middle = len(sentences) // 2
    if not middle:
        return "", ""
    return "\n".join(sentences[:middle]), "\n".join(sentences[middle:])


def nearest(likes: csr_array, own: Int[np.ndarray, " films"]) -> csr_array:
    """[films, films] grades of those of a split that the same people like."""
    among: Any = likes
    rows: Any = normalize(csr_array(among[own]))
    near: np.ndarray = (rows @ rows.T).toarray()
    np.fill_diagonal(near, -1)
    grades = sparse.lil_array((len(likes.indptr) - 1,) * 2, dtype=np.float32)
    for place, row in enumerate(near):
        for other, grade in zip(np.argsort(-row, kind="stable").tolist(), NEAREST, strict=False):
            if row[other] > 0:
                grades[own[place], own[other]] = grade
    return csr_array(grades)

"""Answers of one release to requests that came together: encode, tower, index.

THE REGISTRY of kinds is at the end. Each takes the requests of a batch and returns an answer or an
exception for each: one wrong request spoils no other.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from recsys.features import Batch
from recsys.release import Encoded
from serving import messages
from serving.batching import Job
from serving.explaining import explained
from serving.loaded import Loaded
from serving.metrics import Metrics
from serving.ranking import Asked, ranked
from serving.refusals import RefusalError, conflict, invalid


class Answering:
    """The work of the batcher."""

    def __init__(self, metrics: Metrics):
        self._metrics = metrics

    def __call__(self, jobs: Sequence[Job]) -> list[Any]:
        """Answers jobs, those of one release and kind together."""
        answers: list[Any] = [None] * len(jobs)
        groups: dict[tuple[int, str], list[int]] = {}
        for place, job in enumerate(jobs):
            groups.setdefault((id(job.loaded), job.kind), []).append(place)
        for (_, kind), places in groups.items():
            loaded = jobs[places[0]].loaded
            try:
                found = KINDS[kind](self, loaded, [jobs[place].request for place in places])
            except Exception as error:
                found = [error] * len(places)
            for place, answer in zip(places, found, strict=True):
                answers[place] = answer
        return answers

    def recommend(self, loaded: Loaded, requests: Sequence[messages.Recommend]) -> list[Any]:
        """Items for users."""
        _ = loaded.catalogue
        answers: list[Any] = [None] * len(requests)
        asked: list[Asked] = []
        people = self._people(loaded, requests, answers)
        for place, (request, one) in enumerate(zip(requests, people, strict=True)):
            if one is not None:
                with keeping(answers, place):
                    mask = loaded.filters.mask(request.filter)
                    out = excluded_of(loaded, request)
                    asked.append(Asked(place, one.vector, request.k, mask, out, one.is_known))
        with self.stage("index"):
            for one, rows, scores in ranked(loaded, asked):
                person = people[one.place]
                assert person is not None
                answers[one.place] = self._ranked(loaded, one, rows, scores, person.told)
        loaded.users.extend(one.vector for one in asked[:1] if one.is_known)
        return answers

    def similar(self, loaded: Loaded, requests: Sequence[messages.Similar]) -> list[Any]:
        """Items near items."""
        answers: list[Any] = [None] * len(requests)
        asked = []
        for place, request in enumerate(requests):
            with keeping(answers, place):
                row = loaded.row(request.item)
                out = np.append(loaded.catalogue.rows_of(request.exclude), row)
                vector = loaded.index.vectors(np.array([row]))[0]
                mask = loaded.filters.mask(request.filter)
                asked.append(Asked(place, vector, request.k, mask, out))
        with self.stage("index"):
            for one, rows, scores in ranked(loaded, asked):
                answers[one.place] = self._ranked(loaded, one, rows, scores, {})
        return answers

    def predict(self, loaded: Loaded, requests: Sequence[messages.Predict]) -> list[Any]:
        """Probabilities of rows."""
        if loaded.release.task != "click":
            raise conflict(
                f"Release {loaded.id} is for {loaded.release.task} and predicts no probabilities: "
                "ask /v1/recommend."
            )
        answers: list[Any] = [None] * len(requests)
        encoded = self._encoded(loaded, [request.rows for request in requests], answers)
        there = [one for one in encoded if one is not None]
        with self.stage("tower"):
            values = loaded.release.predict(Batch.joined([o.batch for o in there])) if there else []
        start = 0
        for place, one in enumerate(encoded):
            if one is not None:
                part = values[start : start + len(one)]
                start += len(one)
                answers[place] = messages.Probabilities(
                    probabilities=[float(value) for value in part],
                    imputed_rows=[list(names) for names in one.imputed],
                    **told_of(one),
                )
        return answers

    def embed(self, loaded: Loaded, requests: Sequence[messages.Embed]) -> list[Any]:
        """Vectors of users and items."""
        answers: list[Any] = [None] * len(requests)
        _ = loaded.catalogue
        for place, request in enumerate(requests):
            with keeping(answers, place):
                users, items = [], []
                if request.users:
                    users = loaded.release.users(loaded.release.encode(request.users).batch)
                if request.items:
                    items = loaded.release.embed_items(request.items)
                answers[place] = messages.Vectors(
                    users=[vector.tolist() for vector in users],
                    items=[vector.tolist() for vector in items],
                )
        return answers

    def explain(self, loaded: Loaded, requests: Sequence[messages.Explain]) -> list[Any]:
        """Why."""
        answers: list[Any] = [None] * len(requests)
        rows = [row_of(loaded, request) for request in requests]
        encoded = self._encoded(loaded, rows, answers)
        for place, (request, one) in enumerate(zip(requests, encoded, strict=True)):
            if one is not None:
                with keeping(answers, place):
                    answers[place] = explained(loaded, request, one, told_of(one))
        return answers

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Tells how long a stage of a batch took."""
        start = time.monotonic()
        yield
        self._metrics.stage.labels(name).observe(time.monotonic() - start)

    def _encoded(
        self, loaded: Loaded, rows: Sequence[Any], answers: list[Any]
    ) -> list[Encoded | None]:
        """Each request's rows; what cannot be read is answered already."""
        found: list[Encoded | None] = [None] * len(rows)
        with self.stage("encode"):
            for place, asked in enumerate(rows):
                with keeping(answers, place):
                    told = asked if isinstance(asked, list) else [asked]
                    found[place] = loaded.release.encode(told)
        for one in found:
            for names in one.imputed if one is not None else ():
                for name in names:
                    self._metrics.imputed.labels(name).inc()
        return found

    def _people(
        self, loaded: Loaded, requests: Sequence[messages.Recommend], answers: list[Any]
    ) -> list["Person | None"]:
        """Whom the requests are for; those who are known and say no more are read in one go."""
        found: list[Person | None] = [None] * len(requests)
        plain: dict[int, int] = {}
        for place, request in enumerate(requests):
            if request.user is not None and not request.features and request.history is None:
                row = loaded.user_row(request.user)
                if row is not None:
                    plain[place] = row
        if plain:
            with self.stage("encode"):
                encoded = loaded.release.encode_known(list(plain.values()))
            self._meet(loaded, found, list(plain), encoded)
        rest = [place for place in range(len(requests)) if place not in plain]
        rows = [row_of(loaded, requests[place]) for place in rest]
        told: list[Any] = [None] * len(rest)
        for place, one, refusal in zip(rest, self._encoded(loaded, rows, told), told, strict=True):
            answers[place] = refusal
            if one is not None:
                self._meet(loaded, found, [place], one)
        return found

    def _meet(
        self, loaded: Loaded, found: list["Person | None"], places: list[int], encoded: Encoded
    ) -> None:
        """The vectors of users, at the places of their requests."""
        with self.stage("tower"):
            vectors = loaded.release.users(encoded.batch)
        for row, place in enumerate(places):
            told = {"imputed": list(encoded.imputed[row]), "unknown": list(encoded.unknown[row])}
            found[place] = Person(vectors[row], bool(encoded.is_known[row]), told)

    def _ranked(
        self,
        loaded: Loaded,
        asked: Asked,
        rows: Int64[np.ndarray, "k"],
        scores: Float32[np.ndarray, "k"],
        told: dict[str, Any],
    ) -> messages.Ranked:
        if len(rows) < asked.k:
            self._metrics.empty.inc()
        if not asked.is_known:
            self._metrics.unknown_users.inc()
        return messages.Ranked(
            items=loaded.catalogue.shown(rows, scores),
            is_known=asked.is_known,
            basis="vectors" if asked.is_known else "popularity",
            **told,
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Person:
    """A user, as a request tells of it."""

    vector: Float32[np.ndarray, "dim"]
    is_known: bool
    told: dict[str, Any]  # what was not as asked


@contextlib.contextmanager
def keeping(answers: list[Any], place: int) -> Iterator[None]:
    """Makes what goes wrong with one request its answer."""
    try:
        yield
    except RefusalError as refusal:
        answers[place] = refusal
    except (ValueError, TypeError, ArithmeticError) as error:
        answers[place] = invalid(" ".join(str(error).split()))


def row_of(loaded: Loaded, asked: messages.Recommend | messages.Explain) -> dict[str, Any]:
    """The row that a request tells of."""
    row = dict(asked.features)
    if asked.user is not None:
        row[loaded.release.user_column] = asked.user
    if asked.history is not None and loaded.release.history is not None:
        row[loaded.release.history] = asked.history
    return row


def excluded_of(loaded: Loaded, asked: messages.Recommend) -> Int64[np.ndarray, "rows"]:
    """What a user is not shown: items it has met, what it says it has met, and what it names."""
    out = loaded.catalogue.rows_of(asked.exclude)
    if not asked.exclude_seen:
        return out
    parts = [out, loaded.catalogue.rows_of(asked.history or [])]
    row = None if asked.user is None else loaded.user_row(asked.user)
    if row is not None and loaded.release.known is not None:
        parts.append(loaded.release.known.seen[row].astype(np.int64))
    return np.concatenate(parts)


def told_of(encoded: Encoded) -> dict[str, Any]:
    """What was not as asked, each name once."""
    return {
        "imputed": list(dict.fromkeys(name for names in encoded.imputed for name in names)),
        "unknown": list(dict.fromkeys(name for names in encoded.unknown for name in names)),
    }


KINDS: dict[str, Callable[[Answering, Loaded, Any], list[Any]]] = {
    "recommend": Answering.recommend,
    "similar": Answering.similar,
    "predict": Answering.predict,
    "embed": Answering.embed,
    "explain": Answering.explain,
}

"""Requests and answers, as they are on the wire: the OpenAPI document is made of these."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

Row = dict[str, Any]  # features by name, and the user's name under the user column
Name = str | int  # of an item; 5 and "5" are one
Count = Annotated[int, Meta(ge=1)]


class Range(msgspec.Struct, forbid_unknown_fields=True):
    """Numbers between two others, or dates as text; both ends count."""

    min: float | str | None = None
    max: float | str | None = None


Filter = dict[str, list[str | int | float | bool] | Range]  # by column: one of these, or a range


class Request(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What every request may say."""

    timeout_ms: Annotated[int, Meta(ge=1, le=60_000)] | None = None
    space_id: str | None = None  # of the vectors that the client holds; another is refused


class Recommend(Request, kw_only=True):
    """Items for a user that is known, or of whom features or a history are told."""

    user: Name | None = None
    features: Row = {}
    history: list[Name] | None = None
    k: Count = 10
    filter: Filter = {}
    exclude: list[Name] = []
    exclude_seen: bool = True


class Similar(Request, kw_only=True):
    """Items near an item."""

    item: Name
    k: Count = 10
    filter: Filter = {}
    exclude: list[Name] = []


class Predict(Request, kw_only=True):
    """The probability of each row."""

    rows: Annotated[list[Row], Meta(min_length=1)]


class Embed(Request, kw_only=True):
    """Vectors of users or of items."""

    users: list[Row] = []
    items: list[Row] = []


class Explain(Request, kw_only=True):
    """Why an item, or a probability, is what a row gets."""

    user: Name | None = None
    features: Row = {}
    history: list[Name] | None = None
    item: Name | None = None  # where there are items
    most: Annotated[int, Meta(ge=1, le=100)] = 10


class Upsert(msgspec.Struct, forbid_unknown_fields=True):
    """An item: its features for the tower, or its vector; columns are what is shown of it."""

    id: Name
    features: Row | None = None
    vector: list[float] | None = None
    columns: Row = {}


class Items(Request, kw_only=True):
    """Items that are added, replaced or taken out; what is told is on disk when it is answered."""

    upsert: list[Upsert] = []
    delete: list[Name] = []


class Activate(msgspec.Struct, forbid_unknown_fields=True):
    """Which release is served from now on: its id, or its folder's name."""

    release: str


class Canary(msgspec.Struct, forbid_unknown_fields=True):
    """Which release answers a share of the requests; 0 ends it."""

    release: str
    share: Annotated[float, Meta(ge=0, le=1)]


class Answer(msgspec.Struct, kw_only=True):
    """What every answer says."""

    release: str = ""
    space_id: str = ""
    request_id: str = ""
    imputed: list[str] = []
    unknown: list[str] = []


class Ranked(Answer, kw_only=True):
    """Items, best first: id, score, and the columns that the release has."""

    items: msgspec.Raw
    is_known: bool = True
    basis: str = "vectors"  # or popularity, where nothing is known of the user


class Probabilities(Answer, kw_only=True):
    """A probability a row, and what was imputed in each."""

    probabilities: list[float]
    imputed_rows: list[list[str]] = []


class Vectors(Answer, kw_only=True):
    """A vector a row."""

    users: list[list[float]] = []
    items: list[list[float]] = []


class Share(msgspec.Struct):
    """What one skill, feature or item of the history adds."""

    name: str
    share: float
    title: str | None = None


class Reasons(Answer, kw_only=True):
    """A score, and what adds to it: skills, or what the score loses without each thing told."""

    score: float
    by: str  # skills, features, or history: items of it, and features
    reasons: list[Share]


class Changed(Answer, kw_only=True):
    """How many items were changed."""

    upserted: int
    deleted: int


class ReleaseState(msgspec.Struct):
    """A release that the server has, or could have."""

    id: str
    name: str
    folder: str
    task: str
    space_id: str
    created: str
    parent: str | None
    state: str  # active, canary, previous or ready
    share: float
    quality: Any
    index: Any = None


class ReleaseList(msgspec.Struct):
    """Every release in the folder."""

    releases: list[ReleaseState]

"""What the name of a column says of it: a user, an item, a label, a time, an id, a quantity.

Names are compared by their words, in small letters: `movieId`, `movie_id` and `MOVIE ID` are one.
"""

import re

_ENDS = {"id", "ids", "key", "code", "no", "number", "idx", "index", "uid", "uuid", "hash"}
# fmt: off
_USERS = {
    "user", "userid", "uid", "customer", "member", "visitor", "viewer", "listener", "reader",
    "buyer", "client", "account", "person", "consumer", "subscriber",
}
_ITEMS = {
    "item", "itemid", "iid", "product", "movie", "video", "song", "track", "artist", "article",
    "news", "ad", "ads", "advert", "banner", "creative", "book", "game", "app", "sku", "asin",
    "post", "content", "restaurant", "business", "hotel", "listing", "recipe", "job",
}
_LABELS = {
    "label", "target", "y", "click", "clicks", "clicked", "clk", "conversion", "converted",
    "purchase", "purchased", "bought", "buy", "like", "liked", "response", "outcome", "engaged",
    "installed", "install", "watched", "subscribed", "churn", "churned",
}
_TITLES = {"title", "titles", "headline", "caption"}
_RATINGS = {"rating", "ratings", "stars", "star", "score", "grade"}
_TIMES = (  # the first that is there is the timestamp
    "timestamp", "ts", "time", "datetime", "date", "when", "at", "day", "hour", "stamp", "utc",
    "unix", "epoch",
)
_QUANTITIES = {
    "age", "price", "amount", "cost", "count", "counts", "num", "n", "total", "sum", "quantity",
    "qty", "length", "duration", "size", "weight", "height", "width", "distance", "income",
    "salary", "revenue", "balance", "percent", "rate", "ratio", "avg", "mean", "min", "max",
    "seconds", "minutes", "hours", "days", "years", "year", "views", "visits", "impressions",
    "latitude", "longitude", "lat", "lon", "lng", "temperature", "discount", "value",
}
_NAMES_OF_THINGS = {
    "zip", "zipcode", "postal", "postcode", "category", "type", "class", "group", "segment",
    "cluster", "brand", "store", "shop", "city", "region", "state", "country", "channel",
    "campaign", "source", "device", "page", "slot", "session", "phone", "ip", "site", "domain",
}
_SEQUENCES = {
    "history", "hist", "sequence", "seq", "session", "recent", "past", "previous", "prev", "last",
}
# fmt: on


def words(name: str) -> list[str]:
    """The words of a name."""
    return re.findall(r"[a-z]+|[0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower())


def _subject(name: str) -> set[str]:
    """The words that say what a column is of, if it is one: `movie` of `movieId`."""
    told = [word for word in words(name) if word not in _ENDS - _USERS]
    told = [word for word in told if word not in ("is", "has", "was", "the")]
    return set(told) if len(told) == 1 else set()


def is_user(name: str) -> bool:
    """Whether it sounds like the key of whom something happened to."""
    return bool(_subject(name) & _USERS)


def is_item(name: str) -> bool:
    """Whether it sounds like the key of what it happened with."""
    return bool(_subject(name) & _ITEMS)


def is_label(name: str) -> bool:
    """Whether it sounds like what is to be predicted."""
    return bool(_subject(name) & _LABELS)


def is_rating(name: str) -> bool:
    """Whether it sounds like how much somebody liked something."""
    return bool(_subject(name) & _RATINGS)


def is_title(name: str) -> bool:
    """Whether it sounds like what an item is called: `title`, or `name` of an item."""
    told = {*words(name)}
    return bool(told & _TITLES) or ("name" in told and bool(told & _ITEMS))


def is_id(name: str) -> bool:
    """Whether its numbers sound like names."""
    told = words(name)
    return bool(told) and (told[-1] in _ENDS or bool({*told} & (_NAMES_OF_THINGS | {"id"})))


def is_quantity(name: str) -> bool:
    """Whether its numbers sound like amounts."""
    return bool({*words(name)} & _QUANTITIES)


def is_sequence(name: str) -> bool:
    """Whether its lists sound ordered by time."""
    return bool({*words(name)} & _SEQUENCES)


def time_rank(name: str) -> int | None:
    """How much it sounds like a time, 0 the most; None where it does not."""
    told = words(name)
    ranks = [rank for rank, word in enumerate(_TIMES) if word in told]
    return min(ranks) if ranks else None

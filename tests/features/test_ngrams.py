"""Texts as keys: any script, any length, the same words the same keys."""

import numpy as np
import pytest

from recsys.features import Feature, Schema
from recsys.features.hashing import combine, fingerprint
from recsys.features.ngrams import Ngrams, words

NGRAMS = Ngrams(pieces=2)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("  \n\t… — ", []),
        ("Programs in C++ and C#, SQL-92!", ["programs", "in", "c++", "and", "c#", "sql", "92"]),
        ("Straße ﬁnden", ["strasse", "finden"]),
        ("Программист на Python", ["программист", "на", "python"]),
        ("软件工程", ["软", "件", "工", "程"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("مهندس برمجيات", ["مهندس", "برمجيات"]),
        ("one\ud800two", ["one", "two"]),
    ],
)
def test_words_are_found_in_any_script(text: str, found: list[str]):
    assert words(text, most=8) == found


def test_a_word_is_its_fingerprint_its_pair_and_pieces_spread_over_it():
    keys = NGRAMS.keys(["Data Engineer", "data"], most=3)
    rows = keys.keys.reshape(2, 3, NGRAMS.places)
    data, engineer = fingerprint(["data", "engineer"])
    assert rows[0, 0, 0] == rows[1, 0, 0] == data
    assert rows[0, 1, 0] == engineer
    assert rows[0, 0, 1] == combine(np.array([data]), np.array([engineer]))[0]
    np.testing.assert_array_equal(rows[0, 0, 2:], fingerprint(["\x01\x02dat", "\x01ata\x03"]))
    assert not keys.valid.reshape(2, 3, -1)[0, 1, 1]  # the last word has no pair
    assert not keys.valid.reshape(2, 3, -1)[1, 1:].any()


def test_a_text_is_read_up_to_its_first_words_however_long_it_is():
    long = NGRAMS.keys(["word " * 20_000, "x" * 100_000, "字" * 100_000], most=4)
    short = NGRAMS.keys(["word word word word", "x" * 64, "字字字字"], most=4)
    np.testing.assert_array_equal(long.keys, short.keys)


def test_short_words_have_fewer_pieces():
    row = Ngrams(pieces=3, characters=4).keys(["a bc def ghij klmnopqr"], most=5)
    there = row.valid.reshape(5, -1)[:, 2:].sum(axis=1)
    np.testing.assert_array_equal(there, [1, 1, 2, 3, 3])
    assert len(np.unique(row.keys[row.valid])) == row.valid.sum()


def test_a_feature_of_a_text_can_be_its_ngrams():
    feature = Feature("told", kind="text", length=3 * NGRAMS.places, ngrams=NGRAMS)
    batch = Schema((feature,), label=None).encode({"told": ["Data Engineer", None]})
    low = NGRAMS.keys(["Data Engineer", ""], most=3).keys & np.uint64(0xFFFFFFFF)
    np.testing.assert_array_equal(batch.low, low.astype(np.uint32))
    assert not batch.valid[1].any()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"kind": "bag", "length": 8}, "has n-grams, which are of texts"),
        ({"kind": "text", "length": 9}, "has 4 places a word, got length=9"),
        ({"kind": "text", "length": 8, "values": 5}, "hashed: drop ngrams"),
    ],
)
def test_a_feature_that_cannot_have_ngrams_is_refused(wrong: dict, told: str):
    with pytest.raises(ValueError, match=told):
        Feature("told", ngrams=NGRAMS, **wrong)


def test_ngrams_of_nothing_are_refused():
    with pytest.raises(ValueError, match="2 characters or more"):
        Ngrams(characters=1)

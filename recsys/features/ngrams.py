"""A text as keys: its words in order, and of each word the pair with the next and its pieces.

Any script: text is normalised (NFKC) and case-folded, letters, marks, digits, + and # make words
(C++, C#), and in scripts that put no blanks between words every character is one. Nothing is
learned and no vocabulary is kept: an n-gram is its 64-bit fingerprint.
"""

import dataclasses
import functools
import unicodedata
from collections.abc import Sequence

import numpy as np

from recsys.features.hashing import combine, fingerprint
from recsys.features.ragged import Padded
from recsys.spec import spec

WORD = 64  # characters of a word; what is longer is cut
KEPT = "+#"  # signs that tell names of things apart
CACHED = 2**16  # words whose keys are remembered
# First and last characters of scripts without blanks: Thai and Lao, Myanmar, Khmer, kana, Han.
UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3134F),
)


@spec
@dataclasses.dataclass(frozen=True)
class Ngrams:
    """What is read of each word of a text.

    A text takes `places` for each of its words, in this order: the word, the pair that it makes
    with the next, and pieces, which are n-grams of its characters, its two ends included, evenly
    spread over it (fastText sums all of them: Bojanowski et al., TACL 2017).
    """

    pairs: bool = True  # of a word and the next
    pieces: int = 3  # n-grams of characters of a word; 0: none
    characters: int = 4  # of a piece

    def __post_init__(self):
        if self.pieces < 0 or self.characters < 2:
            raise ValueError(
                "Ngrams want pieces of at least 0 and 2 characters or more in each, got "
                f"pieces={self.pieces} and characters={self.characters}."
            )

    @property
    def places(self) -> int:
        """Keys of a word."""
        return 1 + int(self.pairs) + self.pieces

    def keys(self, texts: Sequence[str], *, most: int) -> Padded:
        """The keys of texts, of each its first `most` words: what is behind them is not read."""
        rows = [[self._word(word) for word in words(text, most=most)] for text in texts]
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        there = np.arange(most) < lengths[:, None]
        found = np.zeros((len(rows), most, self.places), np.uint64)
        flat = [keys for row in rows for keys in row]
        if flat:
            found[there] = np.array(flat, np.uint64)
        if self.pairs and most > 1:
            is_pair = there[:, 1:]
            found[:, :-1, 1] = np.where(is_pair, combine(found[:, :-1, 0], found[:, 1:, 0]), 0)
        found = found.reshape(len(rows), most * self.places)
        return Padded(found, found != 0)

    def _word(self, word: str) -> tuple[int, ...]:
        return _keys(word, self.pairs, self.pieces, self.characters)


def words(text: str, *, most: int) -> list[str]:
    """The first words of a text."""
    cut = text[: most * WORD]  # so that a text of any length costs no more than this
    folded = unicodedata.normalize("NFKC", cut).casefold()
    return [word[:WORD] for word in folded.translate(_LETTERS).split()[:most]]


class _Letters(dict[int, str]):
    """What each character of a text becomes; worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        if any(first <= code <= last for first, last in UNSPACED):
            found = f" {letter} "
        else:
            is_kept = unicodedata.category(letter)[0] in "LMN" or letter in KEPT
            found = letter if is_kept else " "
        self[code] = found
        return found


_LETTERS = _Letters()


@functools.lru_cache(CACHED)
def _keys(word: str, pairs: bool, pieces: int, characters: int) -> tuple[int, ...]:
    """The keys of a word, with 0 for its pair and for pieces that it is too short for."""
    bounded = f"\x02{word}\x03"
    starts = range(max(1, len(bounded) - characters + 1))
    if len(starts) > pieces > 0:
        spread = np.linspace(0, len(starts) - 1, pieces).round().astype(int)
        starts = [starts[at] for at in spread]
    grams = [f"\x01{bounded[at : at + characters]}" for at in starts][:pieces]
    found = fingerprint([word, *grams])
    own = found.tolist()
    return (own[0], *([0] if pairs else []), *own[1:], *([0] * (pieces - len(grams))))

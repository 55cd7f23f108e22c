"""Options: fields of a spec as NAME=VALUE."""

import pytest

from recsys.embedding import Unified
from recsys.models import DCN, DLRM
from recsys.retrieval.user_batches import Sampling
from recsys.tables import INT8, Full, Hash
from recsys.training.options import with_options
from tests.toy import SCHEMA

LAYOUT = Unified(Hash())


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        ("rows=7", Hash(rows=7)),
        ("initial=1", Hash(initial=1.0)),
        ("initial=0.5", Hash(initial=0.5)),
    ],
)
def test_an_option_is_read_as_what_its_default_is(option, wanted):
    assert with_options(Hash, (option,)) == wanted


@pytest.mark.parametrize(("text", "hidden"), [("192,64", (192, 64)), ("32", (32,)), ("()", ())])
def test_several_values_stand_between_commas(text, hidden):
    assert with_options(DCN, (f"hidden={text}",), schema=SCHEMA, layout=LAYOUT).hidden == hidden


def test_nothing_as_default_stands_for_a_number():
    assert with_options(DLRM, ("dim=8",), schema=SCHEMA, layout=LAYOUT).dim == 8


def test_a_table_inside_another_goes_by_its_name():
    assert with_options(INT8, ("of=hash",)) == INT8(of=Hash())
    assert with_options(INT8, ()) == INT8(of=Full())
    with pytest.raises(ValueError, match=r"Unknown table 'hush' for INT8's of: known are .*hash"):
        with_options(INT8, ("of=hush",))


@pytest.mark.parametrize("option", ["raws=7", "rows", "=7"])
def test_an_unknown_option_lists_the_known_ones(option):
    with pytest.raises(ValueError, match=r"Hash takes options as NAME=VALUE.*rows, initial"):
        with_options(Hash, (option,))


@pytest.mark.parametrize("option", ["rows=many", "rows=0.5", "rows=True", "rows=1,2"])
def test_a_value_of_another_kind_is_refused(option):
    with pytest.raises(ValueError, match="Hash's rows should be like 65536, got"):
        with_options(Hash, (option,))


def test_a_word_that_a_field_does_not_know_lists_the_known_ones():
    assert with_options(Sampling, ("history=all",), shift=0.5) == Sampling(history="all", shift=0.5)
    with pytest.raises(ValueError, match="Sampling's history should be one of half, all, got 'al'"):
        with_options(Sampling, ("history=al",))

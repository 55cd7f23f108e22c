"""DCN-v2: what it refuses; the rest is the contract of rankers and the test of its towers."""

import pytest

from recsys.models import DCN
from tests.models.schemas import EVERY, LAYOUTS


@pytest.mark.parametrize("wrong", [{"cross": -1}, {"hidden": (8, 0)}])
def test_layers_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="DCN wants cross >= 0 layers and hidden widths"):
        DCN(EVERY, LAYOUTS["unified"], **wrong)

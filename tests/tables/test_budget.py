"""Every method and layout within a budget of bytes: never above it, and not a setting smaller
than need be.
"""

import dataclasses
import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.embedding import Group, Grouped, PerFeature, Unified
from recsys.embedding.layout import Plan
from recsys.tables import Hash
from tests.tables.examples import EXAMPLES
from tests.toy import DIM, LAYOUTS, SCHEMA

pytestmark = pytest.mark.slow

PLANS = {
    "unified": Unified(EXAMPLES["full"], DIM).plans(SCHEMA)["unified"],
    "of_one_feature": PerFeature(EXAMPLES["full"], DIM).plans(SCHEMA)["item"],
}
EACH = pytest.mark.parametrize("method", EXAMPLES)


def plan_of(method: str, plan: str) -> Plan:
    return dataclasses.replace(PLANS[plan], method=EXAMPLES[method])


@functools.cache
def bytes_of_settings(plan: Plan) -> list[int]:
    """The cost of every setting, by its number; tables of this size have few."""
    dial = plan.method.dial(plan.dim, plan.fields)
    return [dial.make(n).table_bytes(plan.dim, plan.fields) for n in range(dial.settings)]


@EACH
@pytest.mark.parametrize("plan", PLANS)
def test_a_larger_setting_never_costs_less(method, plan):
    costs = bytes_of_settings(plan_of(method, plan))
    assert costs == sorted(costs)


@EACH
@pytest.mark.parametrize("name", PLANS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_the_budget_is_kept_and_the_next_larger_setting_would_exceed_it(method, name, data):
    plan = plan_of(method, name)
    dial = plan.method.dial(plan.dim, plan.fields)
    costs = bytes_of_settings(plan)
    budget = data.draw(st.integers(costs[0], costs[-1] + 1000))
    fitted = plan.within(budget)
    assert fitted.table_bytes <= budget
    chosen = [n for n in range(dial.settings) if dial.make(n) == fitted.method]
    assert chosen, "within() made up a setting that is not on the dial"
    larger = costs[chosen[-1] + 1 :]
    assert not larger or larger[0] > budget


@EACH
def test_a_budget_below_the_floor_is_refused_with_the_floor(method):
    plan = plan_of(method, "unified")
    floor = bytes_of_settings(plan)[0]
    assert plan.within(floor).table_bytes == floor
    for budget in (floor - 1, 0, -1):
        with pytest.raises(
            ValueError, match=rf"needs at least {floor:,} bytes.*got a budget of {budget:,}"
        ):
            plan.within(budget)


@EACH
def test_fitting_keeps_the_other_options(method):
    plan = plan_of(method, "unified")
    costs = bytes_of_settings(plan)
    once = plan.within(costs[len(costs) // 2])
    assert once.within(costs[len(costs) // 2]) == once


@EACH
@settings(max_examples=8, deadline=None)
@given(share=st.floats(0, 1.5))
def test_tables_of_one_feature_each_share_a_budget_to_the_last_setting(method, share):
    layout = LAYOUTS["per_feature"](EXAMPLES[method])
    costs = [bytes_of_settings(plan) for plan in layout.plans(SCHEMA).values()]
    floor, most = sum(cost[0] for cost in costs), sum(cost[-1] for cost in costs)
    budget = floor + int(share * (most - floor))
    fitted = layout.within(budget, SCHEMA)
    used = [plan.table_bytes for plan in fitted.plans(SCHEMA).values()]
    assert sum(used) <= budget
    for own, each in zip(used, costs, strict=True):
        larger = [cost for cost in each if cost > own]
        assert not larger or sum(used) - own + larger[0] > budget
    with pytest.raises(ValueError, match=f"needs at least {floor:,} bytes"):
        layout.within(floor - 1, SCHEMA)


def test_features_are_compressed_alike():
    row = 4 * DIM
    fitted = PerFeature(Hash(), DIM).within(95 * row, SCHEMA)  # half a row for each of 190 values
    assert [plan.method for plan in fitted.plans(SCHEMA).values()] == [Hash(30), Hash(45), Hash(20)]


def test_a_vocabulary_too_small_for_its_share_leaves_the_rest_to_others():
    fitted = PerFeature(Hash(), DIM).within(10**9, SCHEMA)
    assert [plan.method for plan in fitted.plans(SCHEMA).values()] == [Hash(60), Hash(90), Hash(40)]


@EACH
def test_the_last_group_takes_what_the_others_leave(method):
    exact = Group(("tags",), PerFeature(EXAMPLES["full"], DIM))
    rest = Group(("user", "item"), Unified(EXAMPLES[method], DIM))
    layout = Grouped((exact, rest))
    kept = layout.plans(SCHEMA)["0.tags"].table_bytes
    costs = bytes_of_settings(layout.plans(SCHEMA)["1.unified"])
    budget = kept + costs[len(costs) // 2]
    fitted = layout.within(budget, SCHEMA)
    assert fitted.groups[0] == exact
    assert fitted.plans(SCHEMA)["1.unified"].table_bytes == costs[len(costs) // 2]
    with pytest.raises(ValueError, match="needs at least"):
        layout.within(kept + costs[0] - 1, SCHEMA)

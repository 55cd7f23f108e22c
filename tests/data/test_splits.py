"""Splits: what each promises, and that it does not matter how a log is cut."""

import numpy as np
import pytest

from recsys.data.record import Events
from recsys.data.splits import (
    SPLITS,
    ByUser,
    GlobalTime,
    LeaveLastOut,
    Progressive,
    Random,
    Split,
)
from recsys.data.splits.plan import NONE, TEST, TRAIN, VALID
from recsys.spec import from_json, to_json

DAY = 86_400.0


def dealt(split: Split, events: Events, *, chunk: int = 10**6) -> np.ndarray:
    """The split of every row of a log that comes in chunks."""
    times, users = events.timestamp, events.user
    count = len(next(column for column in (times, users) if column is not None))
    rows = np.arange(count)
    spans = [slice(start, start + chunk) for start in range(0, count, chunk)]
    plan = split.plan()
    if plan.wants_pass:
        for span in spans:
            plan.observe(events.only(span), rows[span])
    return np.concatenate([plan.deal(events.only(span), rows[span]) for span in spans])


def events(count: int, *, users: int = 50, days: float = 20, seed: int = 0) -> Events:
    rng = np.random.default_rng(seed)
    return Events(
        user=rng.integers(1, users + 1, count).astype(np.uint64),
        timestamp=np.floor(rng.random(count) * days * DAY),
    )


@pytest.fixture(params=SPLITS.values(), ids=list(SPLITS))
def split(request: pytest.FixtureRequest) -> Split:
    return request.param()


def test_a_log_is_split_alike_however_it_is_cut(split, monkeypatch):
    monkeypatch.setattr("recsys.data.splits.last_out.SETTLED_ROWS", 16)
    log = events(3_000)
    once = dealt(split, log)
    assert set(once) == {TRAIN, VALID, TEST}
    for chunk in (1_000, 37):
        np.testing.assert_array_equal(dealt(split, log, chunk=chunk), once)


def test_a_split_survives_json(split):
    assert from_json(to_json(split)) == split


def test_random_meets_its_shares_and_follows_its_seed():
    log = events(100_000)
    numbers = dealt(Random(valid=0.1, test=0.3), log)
    shares = np.bincount(numbers) / len(numbers)
    np.testing.assert_allclose(shares, [0.6, 0.1, 0.3], atol=0.01)  # 6 deviations
    assert (numbers != dealt(Random(valid=0.1, test=0.3, seed=1), log)).any()


def test_all_rows_of_a_user_go_together():
    log = events(20_000, users=2_000)
    assert log.user is not None
    numbers = dealt(ByUser(valid=0.2, test=0.2), log)
    of_user = {user: set(numbers[log.user == user]) for user in np.unique(log.user)}
    assert {len(found) for found in of_user.values()} == {1}
    judged = sum(found == {TEST} for found in of_user.values()) / len(of_user)
    assert judged == pytest.approx(0.2, abs=0.05)


def test_the_last_rows_of_a_user_are_left_out():
    user = np.array([1, 1, 2, 1, 2, 3, 1, 3, 3, 2], np.uint64)
    time = np.array([5, 9, 1, 7, 3, 4, 9, 4, 4, 2.0])
    # User 1 by time: 0, 3, 1, 6; user 2: 2, 9, 4; user 3, at one moment: 5, 7, 8.
    numbers = dealt(LeaveLastOut(), Events(user=user, timestamp=time))
    assert np.flatnonzero(numbers == TEST).tolist() == [4, 6, 8]
    assert np.flatnonzero(numbers == VALID).tolist() == [1, 7, 9]
    ordered = dealt(LeaveLastOut(), Events(user=user))
    assert np.flatnonzero(ordered == TEST).tolist() == [6, 8, 9]


def test_users_with_too_few_rows_only_train():
    user = np.array([1, 1, 2, 2, 2, 3], np.uint64)
    numbers = dealt(LeaveLastOut(), Events(user=user))
    assert numbers.tolist() == [TRAIN, TRAIN, TRAIN, VALID, TEST, TRAIN]
    assert (dealt(LeaveLastOut(valid=3), Events(user=user)) == TRAIN).all()


def test_what_is_judged_came_after_what_was_trained_on():
    log = events(5_000)
    assert log.timestamp is not None
    numbers = dealt(GlobalTime(valid=0.2, test=0.1), log)
    ends = [log.timestamp[numbers == number] for number in (TRAIN, VALID, TEST)]
    assert ends[0].max() < ends[1].min() <= ends[1].max() < ends[2].min()
    np.testing.assert_allclose(np.bincount(numbers) / 5_000, [0.7, 0.2, 0.1], atol=0.001)


def test_a_long_log_is_divided_by_time_about_as_asked():
    log = events(300_000)
    shares = np.bincount(dealt(GlobalTime(), log)) / 300_000
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.01)


def test_progressive_tests_the_last_day_on_the_days_before():
    times = np.array([0, 1, 1.5, 2, 2.9, 3, 3.99]) * DAY
    log = Events(timestamp=times)
    assert dealt(Progressive(), log).tolist() == [TRAIN] * 3 + [VALID] * 2 + [TEST] * 2
    assert dealt(Progressive(skip=1), log).tolist() == [
        TRAIN, VALID, VALID, TEST, TEST, NONE, NONE,
    ]  # fmt: skip
    assert dealt(Progressive(valid=0, test=2), log).tolist() == [TRAIN] * 3 + [TEST] * 4


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Random(valid=0.5, test=0.5), "shares from 0 that sum to less than 1"),
        (lambda: ByUser(valid=-0.1), "shares from 0"),
        (lambda: GlobalTime(test=1.0), "shares from 0"),
        (lambda: LeaveLastOut(valid=0, test=0), "a row or more to leave out"),
        (lambda: Progressive(test=0), "one or more to test"),
        (lambda: Progressive(day_s=0.0), "days of some length"),
    ],
)
def test_a_split_that_splits_nothing_is_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()

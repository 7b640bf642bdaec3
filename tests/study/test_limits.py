"""A study within a budget, or until a goal: what its drivers spend, which trials start and which are paused."""

from __future__ import annotations

from datetime import datetime

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from study.limiter import Limiter
from study.limits import Goal, Limits, seconds_of
from study.nodes.capacity import Resources
from study.optuna_storage import METRICS
from study.spending import AGAIN_AT, PAUSED_AT, SESSIONS, Spending
from trainables.errors import InputError

ROUNDS = 10
CPUS = Resources(2.0, 0.0)
GPUS = Resources(1.0, 0.5)


class Clock:
    """A time that passes when a test says so."""

    def __init__(self):
        self.at = 1e9

    def __call__(self):
        return self.at

    def pass_(self, seconds):
        self.at += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def study():
    return optuna.create_study()


def run(study, clock, seconds, rounds=ROUNDS, **attributes):
    """A trial that has just run for so many seconds: stopped early, unless it used all its rounds."""
    began = datetime.fromtimestamp(clock.at)
    clock.pass_(seconds)
    trial = create_trial(
        state=TrialState.COMPLETE if rounds == ROUNDS else TrialState.PRUNED,
        value=1.0,
        params={"x": 0.5},
        distributions={"x": FloatDistribution(0, 1)},
        user_attrs={METRICS: {"round": rounds, **attributes}},
        intermediate_values={rounds: 1.0},
    )
    trial.datetime_start, trial.datetime_complete = began, datetime.fromtimestamp(clock.at)
    study.add_trial(trial)


def running(study, clock, **attributes):
    """A trial that has just begun."""
    trial = create_trial(state=TrialState.RUNNING, user_attrs=attributes)
    trial.datetime_start = datetime.fromtimestamp(clock.at)
    study.add_trial(trial)
    return optuna.Trial(study, study.trials[-1]._trial_id)


# --- what is spent ----------------------------------------------------------------------------------------------------


def test_time_is_summed_over_drivers_and_not_between_them(study, clock):
    first = Spending(study, CPUS, clock)
    run(study, clock, 100)
    clock.pass_(20)
    first.close()
    clock.pass_(3600)
    second = Spending(study, Resources(4.0, 0.5), clock)
    run(study, clock, 50)
    assert second.seconds() == pytest.approx(120 + 50)
    assert second.of_trial(0) == {"cpu_hours": pytest.approx(100 * 2 / 3600)}
    assert second.of_trial(1) == {"cpu_hours": pytest.approx(50 * 4 / 3600), "gpu_hours": pytest.approx(25 / 3600)}
    assert second.of_study()["cpu_hours"] == pytest.approx((200 + 200) / 3600)


def test_a_trial_that_goes_on_is_not_charged_for_the_time_between(study, clock):
    first = Spending(study, CPUS, clock)
    running(study, clock)
    running(study, clock, **{PAUSED_AT: [clock.at + 10]})
    clock.pass_(30)
    first.close()
    clock.pass_(3600)
    second = Spending(study, CPUS, clock)
    clock.pass_(5)  # until there is room
    for trial in study.trials:
        study._storage.set_trial_user_attr(trial._trial_id, AGAIN_AT, [clock.at])
    clock.pass_(7)
    assert [second.held(trial) for trial in study.trials] == [pytest.approx(37), pytest.approx(17)]


def test_a_driver_that_was_killed_counts_up_to_what_is_known_of_it(study, clock):
    Spending(study, CPUS, clock)
    run(study, clock, 100)
    clock.pass_(3600)
    assert Spending(study, CPUS, clock).seconds() == pytest.approx(100)
    assert [session[1] is None for session in study.user_attrs[SESSIONS]] == [False, True]


def test_a_trial_of_another_study_costs_nothing_here(study, clock):
    run(study, clock, 100)
    clock.pass_(1)
    assert Spending(study, CPUS, clock).of_study() == {"cpu_hours": 0.0}


# --- what starts and what is paused -----------------------------------------------------------------------------------


@pytest.fixture
def limiter(study, clock):
    def make(limits, trial=CPUS):
        return Limiter(limits, study, Spending(study, trial, clock), ROUNDS, trial.gpus, clock)

    return make


def test_without_limits_everything_starts(study, limiter, clock):
    made = limiter(Limits())
    clock.pass_(1e9)
    assert made.may_start()
    assert not made.stop_all()


def test_no_trial_starts_that_would_not_end_in_time(study, limiter, clock):
    made = limiter(Limits(time="10m"))
    assert made.may_start(), "nothing is known yet"
    for seconds in (100, 110, 90):
        run(study, clock, seconds)
    assert made.may_start()  # 100 s each by the median, 300 are left
    run(study, clock, 60, rounds=6)  # as long in all: 100 s
    clock.pass_(141)
    assert not made.may_start()  # 99 are left
    assert made.has_limited
    assert made.reason == "the time budget of 10m leaves no room for another trial"


def test_a_trial_that_goes_on_needs_less_time(study, limiter, clock):
    made = limiter(Limits(time="3m"))
    run(study, clock, 100)
    trial = running(study, clock)
    trial.report(1.0, 7)
    assert not made.may_start()
    assert made.may_start(trial)


def test_a_trial_is_paused_where_it_would_not_get_to_another_report(study, limiter, clock):
    made = limiter(Limits(time="100s"))
    made.begin("a", running(study, clock))
    for _ in range(2):
        clock.pass_(30)
        assert not made("a", {"round": 1})
    clock.pass_(30)
    assert made("a", {"round": 3})  # 10 s are left
    assert made.paused == {"a"}
    made.begin("b", running(study, clock))
    assert not made("b", {"round": 10, "done": True})  # it has ended
    assert not made.stop_all()
    clock.pass_(10)
    ended = []
    made.before_end = lambda: ended.append(True)
    assert made.stop_all()
    assert ended


def test_gpu_hours_are_those_of_all_trials(study, limiter, clock):
    made = limiter(Limits(gpu_hours=0.1), GPUS)  # 360 s of a GPU: 720 s of trials
    run(study, clock, 200)
    assert made.may_start()
    made.begin("a", running(study, clock))
    made.begin("b", running(study, clock))
    assert not made.may_start()  # 100 are spent, both others need 100 each: 60 are left
    clock.pass_(240)
    assert not made.stop_all()
    assert made("a", {"round": 5})  # 20 are left, the two would use 240 until they report again
    clock.pass_(50)
    assert made.stop_all()


def test_the_trial_that_reaches_the_goal_is_trained_to_its_end_and_the_others_are_paused(study, limiter, clock):
    made = limiter(Limits(goal=Goal("fid", 30.0, "minimize")))
    for name in "ab":
        made.begin(name, running(study, clock))
    assert not made("a", {"round": 1, "fid": 31.0})
    assert not made("a", {"round": 2, "fid": 29.0})
    assert not made.may_start()
    assert made("b", {"round": 1, "fid": 90.0})
    assert not made("a", {"round": 3, "fid": 40.0})
    assert made.reason == "the goal fid=30 is reached (trial 0)"


def test_a_goal_that_was_reached_before_is_not_searched_again(study, limiter, clock):
    run(study, clock, 10, fid=29.0)
    assert not limiter(Limits(goal=Goal("fid", 30.0, "minimize"))).may_start()
    assert limiter(Limits(goal=Goal("fid", 28.0, "minimize"))).may_start()
    assert limiter(Limits(goal=Goal("fid", 30.0, "maximize"))).may_start()


# --- how it is said ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 5400), ("2h", 7200), ("1d12h", 129_600), ("1.5h", 5400), ("30s", 30)]
)
def test_times(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "2 h", "soon", "-1h", "0h", "2hours", "1:30:00"])
def test_what_is_no_time(text):
    with pytest.raises(InputError, match="write a time with its units, as in 90m, 2h or 1d12h"):
        seconds_of(text)

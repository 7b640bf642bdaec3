from __future__ import annotations

import json
import random
from types import SimpleNamespace

import pytest
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import SearchGenerator

from study.scheduler_names import SCHEDULERS, check_scheduler
from study.schedulers import MAKERS, make_scheduler, perturbed
from trainables.errors import InputError
from trainables.exploit import EXPLOIT
from trainables.protocol import Protocol
from trainables.trial_spec import TrialSpec

METRIC = "fid_lenet_best"
STOP, CONTINUE = TrialScheduler.STOP, TrialScheduler.CONTINUE
STOPPING = ("asha", "hyperband", "median")


def make(name, rounds=18, evaluate_every=2, history=(), direction="minimize", mutations=None):
    return make_scheduler(name, METRIC, direction, rounds, evaluate_every, history, mutations)


class FakeTrial:
    """What a scheduler sees of Ray's trial."""

    def __init__(self, number, trial_id=None, config=None, folder="/nowhere"):
        self.config = {"spec": {"number": number, "config": config or {}, "folder": str(folder)}}
        self.trial_id = trial_id or f"ray_{number}"
        self.experiment_tag = ""

    def set_config(self, config):
        self.config = config


def result(round_number, value):
    return {"round": round_number, METRIC: value, "done": False}


def run(scheduler, number, values, rounds=18, trial_id=None):
    """Show a trial's results as Ray does; return the round at which it is stopped early, None if it is not."""
    trial = FakeTrial(number, trial_id)
    scheduler.on_trial_add(None, trial)
    for time, value in values.items():
        last = time >= rounds
        if last or scheduler.on_trial_result(None, trial, result(time, value)) == STOP:
            scheduler.on_trial_complete(None, trial, result(time, value))
            return None if last else time
    return None


def curve(level, rounds=18):
    return {time: level + 1 / time for time in range(2, rounds + 1, 2)}


# --- by name ------------------------------------------------------------------------------------


def test_every_name_makes_a_scheduler():
    assert set(SCHEDULERS) == set(MAKERS)


@pytest.mark.parametrize("name", sorted(set(SCHEDULERS) - {"none"}))
def test_several_objectives_are_refused_in_one_sentence(name):
    with pytest.raises(InputError, match=r"2 objectives do not say .* choose 'none'"):
        make_scheduler(name, ["fid_lenet_best", "auroc_best"], "minimize", 18, 2, mutations={"lr": (0, 1)})


def test_several_objectives_run_without_early_stopping():
    scheduler = make_scheduler("none", ["fid_lenet_best", "auroc_best"], "minimize", 18, 2)
    assert isinstance(scheduler, FIFOScheduler)


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'median'"):
        check_scheduler("medium", 1)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_failed_trials_result_without_the_objective_is_heard(name):
    """Ray raises for a result that lacks `scheduler.metric`, and some schedulers raise later."""
    scheduler = make(name, mutations={"lr": (0, 1)})
    assert scheduler.metric is None or name == "none"
    for number in range(6):
        trial = FakeTrial(number, config={"lr": 0.5})
        scheduler.on_trial_add(SimpleNamespace(search_alg=None), trial)
        failed = {"round": 4, "failure": "loss became nan", "done": True}
        assert scheduler.on_trial_result(None, trial, failed) == CONTINUE
        scheduler.on_trial_complete(None, trial, failed)


@pytest.mark.parametrize("name", STOPPING)
def test_infinite_values_decide_nothing(name):
    scheduler = make(name)
    for number in range(6):
        assert run(scheduler, number, {2: float("nan"), 4: float("inf")}) is None
    assert run(scheduler, 6, curve(100.0)) is None


# --- rungs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rounds", "evaluate_every", "rungs"),
    [
        (322, 46, [138]),
        (40 * 469, 469, [14 * 469]),
        (18, 2, [6, 18]),
        (81, 1, [27, 81]),
        (4, 2, [2]),
        (3, 5, [3]),
        (1, 1, [1]),
    ],
)
def test_rungs_are_at_evaluations_from_a_third_of_the_budget_on(rounds, evaluate_every, rungs):
    (bracket,) = make("asha", rounds, evaluate_every)._brackets
    assert sorted(milestone for milestone, _ in bracket._rungs) == rungs


def test_the_worse_ones_end_at_a_rung_the_best_goes_on():
    scheduler = make("asha")
    assert run(scheduler, 0, curve(5.0)) is None
    assert run(scheduler, 1, curve(6.0)) == 6
    assert run(scheduler, 2, curve(4.0)) is None


def test_direction_decides_which_are_worse():
    scheduler = make("asha", direction="maximize")
    assert run(scheduler, 0, curve(5.0)) is None
    assert run(scheduler, 1, curve(4.0)) == 6
    assert run(scheduler, 2, curve(6.0)) is None


@pytest.mark.parametrize("name", STOPPING)
@pytest.mark.parametrize(("rounds", "evaluate_every"), [(4, 4), (3, 5), (1, 1)])
def test_a_trial_with_one_evaluation_is_never_stopped_before_it(name, rounds, evaluate_every):
    scheduler = make(name, rounds, evaluate_every)
    for number in range(6):
        assert run(scheduler, number, {rounds: float(number)}, rounds) is None


def test_the_first_rung_is_where_the_space_says():
    scheduler = make_scheduler("asha", METRIC, "minimize", 1215, 135, evaluate_at=(45,), grace=1 / 27)
    (bracket,) = scheduler._brackets
    assert sorted(milestone for milestone, _ in bracket._rungs) == [45, 135, 405, 1215]


@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1), ("maximize", -1)])
def test_a_trial_without_the_least_progress_ends_at_the_first_rung_though_it_meets_no_other(direction, sign):
    def ending(*values):
        scheduler = make_scheduler("asha", METRIC, direction, 27, 9, evaluate_at=(3,), grace=1 / 9, needed=sign * 90.0)
        return run(scheduler, 0, {time: sign * value for time, value in zip((3, 9, 27), values, strict=True)}, 27)

    assert ending(99.0, 80.0, 70.0) == 3
    assert ending(89.0, 80.0, 70.0) is None


def test_a_trial_that_others_have_overtaken_at_a_rung_ends_at_its_next_evaluation():
    """The first trial of a study meets nobody at a rung: else it would use its whole budget, however bad it is."""
    scheduler = make("asha")
    first = FakeTrial(0)
    scheduler.on_trial_add(None, first)
    for time in (2, 4, 6, 8):
        assert scheduler.on_trial_result(None, first, result(time, 9.0)) == CONTINUE
    run(scheduler, 1, curve(5.0))
    assert scheduler.on_trial_result(None, first, result(10, 9.0)) == CONTINUE
    assert run(scheduler, 2, curve(4.0)) is None
    assert scheduler.on_trial_result(None, first, result(12, 9.0)) == STOP


def test_a_trial_is_overtaken_at_the_last_rung_that_it_has_reached():
    """Who begins slowly and then leads is not stopped for its beginning."""
    scheduler = make_scheduler("asha", METRIC, "minimize", 18, 2, grace=1 / 9)
    late = FakeTrial(0)
    scheduler.on_trial_add(None, late)
    values = {2: 9.0, 4: 8.0, 6: 5.0, 8: 5.0}
    assert [scheduler.on_trial_result(None, late, result(time, v)) for time, v in values.items()] == [CONTINUE] * 4
    for number in (1, 2, 3):
        assert run(scheduler, number, {2: 4.0, 4: 7.0, 6: 7.0}) == 6
    assert scheduler.on_trial_result(None, late, result(10, 5.0)) == CONTINUE


def test_the_best_result_so_far_is_not_stopped():
    """Not by a rung that others have passed with better results than it had there."""
    scheduler = make("asha")
    leader = FakeTrial(0)
    scheduler.on_trial_add(None, leader)
    for time, value in ((2, 9.0), (4, 9.0), (6, 9.0), (8, 3.0)):
        assert scheduler.on_trial_result(None, leader, result(time, value)) == CONTINUE
    for number in (1, 2):
        run(scheduler, number, curve(5.0))
    assert scheduler.on_trial_result(None, leader, result(10, 3.0)) == CONTINUE
    run(scheduler, 3, curve(2.0))
    assert scheduler.on_trial_result(None, leader, result(12, 3.0)) == STOP


def test_hyperband_has_brackets_up_to_one_that_never_stops():
    scheduler = make("hyperband", 276, 46)
    rungs = [[milestone for milestone, _ in bracket._rungs] for bracket in scheduler._brackets]
    assert rungs == [[138, 46], [138], []]
    scheduler = make("hyperband", 18, 2)
    assert [min(milestone for milestone, _ in b._rungs) for b in scheduler._brackets] == [2, 6, 18]


def test_hyperbands_brackets_follow_from_the_number_and_shorter_ones_get_more_trials():
    def brackets():
        scheduler = make("hyperband")
        for number in range(200):
            scheduler.on_trial_add(None, FakeTrial(number, f"ray_{random.random()}"))
        return [scheduler._brackets.index(scheduler._trial_info[str(number)]) for number in range(200)]

    first = brackets()
    assert first == brackets()
    assert first.count(0) > first.count(1) > first.count(2) > 5


def test_a_trial_that_skips_an_evaluation_is_judged_at_its_next():
    """A process that is lost between its checkpoint and its report never reports that round."""
    scheduler = make("asha")
    run(scheduler, 0, curve(5.0))
    assert run(scheduler, 1, {8: 9.0}) == 8


def test_median_stops_what_is_worse_than_the_median_of_the_others():
    scheduler = make("median")
    for number, level in enumerate((4.0, 5.0, 6.0)):
        assert run(scheduler, number, curve(level)) is None
    assert run(scheduler, 3, curve(4.5)) is None
    assert run(scheduler, 4, curve(7.0)) == 6


def test_median_does_not_pause_trials_while_there_are_few():
    scheduler = make("median")
    waiting = SimpleNamespace(get_live_trials=lambda: [SimpleNamespace(status="PENDING")])
    trial = FakeTrial(0)
    scheduler.on_trial_add(waiting, trial)
    assert scheduler.on_trial_result(waiting, trial, result(2, 1.0)) == CONTINUE


# --- history ------------------------------------------------------------------------------------


def reported(values, stopped_at):
    return {time: value for time, value in values.items() if stopped_at is None or time <= stopped_at}


def first_session(scheduler, seed):
    """Twelve trials, three at a time; what each has reported."""
    generator = random.Random(seed)
    curves = {
        number: {t: v * generator.uniform(0.8, 1.2) for t, v in curve(number % 5).items()} for number in range(12)
    }
    history = {}
    for start in range(0, 12, 3):
        live = {number: FakeTrial(number) for number in range(start, start + 3)}
        for trial in live.values():
            scheduler.on_trial_add(None, trial)
        for time in range(2, 19, 2):
            for number, trial in list(live.items()):
                value = curves[number][time]
                history.setdefault(number, {})[time] = value
                if time == 18 or scheduler.on_trial_result(None, trial, result(time, value)) == STOP:
                    scheduler.on_trial_complete(None, trial, result(time, value))
                    del live[number]
    assert len({len(values) for values in history.values()}) > 1  # some were stopped, some were not
    return list(history.items())


def decisions(make_it, candidates):
    """Where a new trial would end, for curves of many levels."""
    found = []
    for level in candidates:
        scheduler = make_it()
        for bracket_probe in (12, 13, 14, 15):
            found.append(run(scheduler, bracket_probe, curve(level)))
    return found


LEVELS = [0.25 * i for i in range(24)]


@pytest.mark.parametrize("name", STOPPING)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_resumed_scheduler_decides_as_an_uninterrupted_one(name, seed):
    def uninterrupted():
        scheduler = make(name)
        first_session(scheduler, seed)
        return scheduler

    history = first_session(make(name), seed)
    expected = decisions(uninterrupted, LEVELS)
    assert decisions(lambda: make(name, history=history), LEVELS) == expected
    assert decisions(lambda: make(name, history=list(reversed(history))), LEVELS) == expected
    assert decisions(lambda: make(name), LEVELS) != expected


@pytest.mark.parametrize("name", STOPPING)
def test_an_unfinished_trial_that_is_issued_again_goes_on_as_the_same(name):
    """Its earlier values are its own, not a rival's; what it repeats after its checkpoint changes nothing."""
    past = [(number, curve(level)) for number, level in enumerate((4.0, 5.0, 6.0))]

    def rest(scheduler, values, trial_id):
        return run(scheduler, 3, values, trial_id=trial_id)

    for level in LEVELS:
        whole = {2: 0.0, 4: 0.0} | {t: v for t, v in curve(level).items() if t > 4}
        expected = rest(make(name, history=past), whole, "ray_a")
        unfinished = [*past, (3, {2: 0.0, 4: 0.0})]
        after = {t: v for t, v in whole.items() if t > 4}
        assert rest(make(name, history=unfinished), after, "ray_b") == expected
        repeated = {t: v for t, v in whole.items() if t > 2}
        assert rest(make(name, history=unfinished), repeated, "ray_c") == expected


@pytest.mark.parametrize("name", STOPPING)
def test_a_trial_that_is_lost_and_issued_again_is_no_rival_of_itself(name):
    scheduler = make(name)
    for number in range(4):
        lost = FakeTrial(number, f"first_{number}")
        scheduler.on_trial_add(None, lost)
        scheduler.on_trial_result(None, lost, result(2, 5.0))
        scheduler.on_trial_error(None, lost)
        run(scheduler, number, {t: v for t, v in curve(5.0).items() if t > 2}, trial_id=f"second_{number}")
    known = scheduler._results if name == "median" else scheduler._trial_info
    assert len(known) == 4


# --- population based training ------------------------------------------------------------------

RANGES = {"lr": (1e-3, 1e-1), "weight": (1e-2, 10.0)}


def pbt():
    return make("pbt", mutations=RANGES)


def test_pbt_without_ranges_is_refused():
    with pytest.raises(InputError, match="nothing to perturb"):
        make("pbt")


def test_pbt_refuses_a_setting_that_the_method_does_not_have():
    with pytest.raises(InputError, match="'weight'"):
        pbt().on_trial_add(SimpleNamespace(search_alg=None), FakeTrial(0, config={"lr": 0.01}))


def test_pbt_works_beside_a_searcher():
    searcher = SearchGenerator.__new__(SearchGenerator)
    pbt().on_trial_add(SimpleNamespace(search_alg=searcher), FakeTrial(0, config={"lr": 0.01, "weight": 1.0}))


def test_an_exploiting_trial_keeps_all_but_the_perturbed_settings():
    own = FakeTrial(1, config={"lr": 0.05, "weight": 1.0, "seed": 1, "width": 2}, folder="/own")
    donor = FakeTrial(2, config={"lr": 0.01, "weight": 0.0, "seed": 2, "width": 3}, folder="/donor")
    config, _ = pbt()._get_new_config(own, donor)
    spec = config["spec"]
    assert (spec["number"], spec["folder"]) == (1, "/own")
    assert spec["config"] == {"lr": spec["config"]["lr"], "weight": 0.0, "seed": 1, "width": 2}
    assert spec["config"]["lr"] in (pytest.approx(0.008), pytest.approx(0.0125))
    assert own.config["spec"]["config"]["lr"] == 0.05
    assert donor.config["spec"]["config"]["lr"] == 0.01


@pytest.mark.parametrize(("value", "ends"), [(0.1, {0.08, 0.1}), (1e-3, {1e-3, 1.25e-3}), (5.0, {0.1})])
def test_perturbed_settings_stay_in_their_range(value, ends):
    scheduler = pbt()
    own = FakeTrial(1, config={"lr": 0.05, "weight": 1.0})
    donor = FakeTrial(2, config={"lr": value, "weight": 1.0})
    found = {scheduler._get_new_config(own, donor)[0]["spec"]["config"]["lr"] for _ in range(50)}
    assert sorted(found) == pytest.approx(sorted(ends))


def test_a_trial_that_is_issued_again_has_its_perturbed_settings(tmp_path):
    (tmp_path / EXPLOIT).write_text(json.dumps({"config": {"lr": 0.02, "weight": 2.0, "seed": 9}}))
    trial = FakeTrial(0, config={"lr": 0.01, "weight": 1.0, "seed": 4}, folder=tmp_path)
    pbt().on_trial_add(SimpleNamespace(search_alg=None), trial)
    assert trial.config["spec"]["config"] == {"lr": 0.02, "weight": 2.0, "seed": 4}


def test_perturbed_names_what_has_changed():
    old = TrialSpec(
        number=0,
        method="discriminator_only",
        config={"image_lr": 0.1, "discriminator_lr": 0.01},
        rounds=4,
        evaluate_every=2,
        protocol=Protocol(dataset="digits", measures=()),
        objective=METRIC,
        cache_dir="",
        folder="",
    )
    new = old.model_copy(update={"config": {"image_lr": 0.08, "discriminator_lr": 0.01}})
    assert perturbed(old, new) == {"image_lr": 0.08}
    assert perturbed(old, old) == {}

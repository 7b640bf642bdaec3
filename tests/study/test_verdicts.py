"""What is beside a verdict: the correction, the effect in words, what would decide, and what was registered."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import ClassVar

import optuna
import pytest

from benchmarks.claims import false_verdicts, found, judged, planned
from search_spaces import SPACES
from search_spaces.claim import SEED, Claim, Success, check_claim, where
from search_spaces.grid import GridSpace
from search_spaces.space import Scale, Suggestion
from study.claims import corrected, judge
from study.config import StudyConfig
from study.console import Console
from study.optuna_storage import METRICS
from study.planning import make_plan
from study.power import MOST, power, values_needed
from study.registration import REGISTERED_FILE, record, register, registered
from study.verdicts import counts, effect_in_words, ended, seeds_that_decide, with_context, write_claims
from trainables.errors import InputError
from trainables.measures.settings import PointsSettings
from trainables.registry import resolve
from trainables.repetitions import PER_SEED

CLAIM = Claim("Deep is lower.", "[A 2000], section 1", "energy", where(model="deep"), where(model="plain"))
POINTS = [{"model": "deep"}, {"model": "plain"}]
NOTHING = {"claims": []}


def trials(deep, plain, metric="energy"):
    """None is a seed that failed."""
    return [
        ({"model": name}, [None if v is None else {metric: v} for v in values])
        for name, values in (("deep", deep), ("plain", plain))
    ]


class Models(GridSpace):
    name = "models"
    description = "two models"
    method = "gan"
    objectives = ("energy",)
    scales: ClassVar = {"smoke": Scale("swiss_roll", 4, 2, (PointsSettings(num_samples=200),), seeds=3)}
    grid: ClassVar = {"model": ("deep", "plain")}
    made: tuple[Claim, ...] = (CLAIM,)

    def suggestion(self, point):
        return Suggestion({})

    def claims(self):
        return list(self.made)


# --- the correction ---


def test_holms_correction_counts_the_claims_of_each_document():
    """By hand: of p-values .01, .02, .03 in one document, 3 x .01, 2 x .02 and .03 are at most .05."""
    outcome = judge(CLAIM, trials([1, 2, 3], [4, 5, 6]))

    def of(*ps, source="[A 2000]"):
        claim = replace(CLAIM, source=source)
        return [replace(outcome, claim=claim, p_supported=p / 2, p_contradicted=1.0) for p in ps]

    assert corrected(of(0.03, 0.01, 0.02)) == ["supported"] * 3
    assert corrected(of(0.01, 0.03, 0.04)) == ["supported", "undecided", "undecided"]
    assert corrected([*of(0.03), *of(0.03, source="[B 2001]")]) == ["supported"] * 2
    assert corrected(of(0.03, 0.03)) == ["undecided"] * 2


def test_of_documents_in_which_nothing_is_true_few_have_a_false_verdict():
    each, by_holm = false_verdicts(documents=60, claims=12)
    assert by_holm <= 0.05
    assert each > 0.2


# --- power ---


def test_power_is_that_of_the_t_test():
    """Cohen (1988), table 2.3.5: d = 0.5, two groups of 64, two-sided at .05: .80; one group of 34, d = 0.5: .80."""
    assert power(0.5, 1.0, 64, 2) == pytest.approx(0.80, abs=0.01)
    assert power(0.5, 1.0, 34, 1) == pytest.approx(0.81, abs=0.01)


@pytest.mark.parametrize(("difference", "n"), [(1.0, 17), (1.5, 9)])
def test_as_many_values_as_are_needed_decide_the_claim(difference, n):
    assert planned(difference, 1.0) == n
    assert 0.7 < found(difference, 1.0, n, studies=150) < 0.9


def test_what_differs_by_nothing_is_out_of_reach():
    outcome = judge(CLAIM, trials([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]))
    assert values_needed(outcome) is None
    (each,) = with_context([outcome], Models("smoke"), NOTHING, {})
    assert each.what_decides == "no number of seeds within reach"
    assert seeds_that_decide([each], 3) is None


def test_more_seeds_are_counted_from_those_that_there_are():
    outcome = judge(CLAIM, trials([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]))
    (each,) = with_context([outcome], Models("smoke"), NOTHING, {})
    assert each.needed == 17  # a difference of one deviation
    assert each.what_decides == "seen difference 1, deviation 1: about 14 more"
    assert seeds_that_decide([each], 3) == (17, 1)
    out_of_proportion = replace(each, needed=467)
    assert seeds_that_decide([each, out_of_proportion, each], 3) == (17, 2)
    assert seeds_that_decide([replace(each, needed=900), out_of_proportion], 3) == (467, 1)


@pytest.mark.parametrize(
    ("claim", "values", "needed"),
    [
        (replace(CLAIM, paired_by=(SEED,)), trials([1.0, 2.0, 4.0], [1.5, 3.5, 5.0]), 5),  # 1 +- 0.5
        (replace(CLAIM, margin=1.0), trials([1.0, 1.2, 0.8], [1.4, 1.6, 1.2]), 4),  # 0.6 from the margin, +- 0.2
        (replace(CLAIM, success=Success(at_most=1.5)), trials([1, 1, 1, 2], [2, 2, 1, 1]), 58),  # Cohen's h = pi / 6
        (CLAIM, trials([1, 2, 3, 4], [3, 4, 5, None]), 10),  # P = 14 / 16
        (CLAIM, trials([], []), 10),
    ],
)
def test_every_kind_of_claim_says_what_it_needs(claim, values, needed):
    assert values_needed(judge(claim, values, "minimize")) == needed <= MOST


# --- kinds of claims ---


def test_shares_of_runs_that_succeed():
    claim = replace(CLAIM, lower=where(model="plain"), higher=where(model="deep"), success=Success(at_most=0.1))
    outcome = judge(claim, trials([0.05] * 9 + [None], [0.9] * 8 + [0.05] * 2), "minimize")
    assert outcome.difference == pytest.approx(0.7)
    assert outcome.verdict == "supported"
    assert effect_in_words(outcome, {}).startswith("+70% of runs (+")
    mixed = judge(claim, trials([0.05] * 6 + [None] * 4, [0.9] * 6 + [0.05] * 4), "minimize")
    assert mixed.verdict == "undecided"


def test_the_share_of_runs_against_a_number():
    claim = replace(CLAIM, lower=0.5, higher=where(model="deep"), success=Success(at_least=2.0))
    assert judge(claim, trials([3.0] * 9 + [1.0], [])).verdict == "supported"
    assert judge(claim, trials([3.0] * 8 + [1.0] * 2, [])).verdict == "undecided"
    turned = replace(claim, lower=where(model="deep"), higher=0.5)
    assert judge(turned, trials([3.0] * 9 + [1.0], [])).verdict == "contradicted"


def test_a_property_of_a_curve_is_a_metric_of_its_own():
    claim = replace(CLAIM, curve="early")
    data = [
        ({"model": m}, [{"energy": 9.0, "energy_early": v} for v in vs]) for m, vs in (("deep", [1, 2]), ("plain", [3]))
    ]
    assert judge(claim, data).lower == (1, 2)
    assert claim.rule == "energy_early is lower in the first group"


def test_a_large_difference_is_told_as_a_ratio():
    outcome = judge(CLAIM, trials([0.9, 1.0, 1.1, 1.0], [38.0, 40.0, 42.0, 40.0]))
    assert effect_in_words(outcome, {}).startswith("40 times as high (")


def test_the_probability_that_one_run_is_above_another():
    outcome = judge(CLAIM, trials([1, 2, 3], [2, 4, None]), "minimize")
    assert outcome.probability_higher == pytest.approx((1.5 + 3 + 3) / 9)


@pytest.mark.parametrize(
    ("changes", "references", "words"),
    [
        (
            {},
            {"energy_noise": 11.0, "energy_test_images": 1.0},
            "10.0% of the way from noise to test images (7.0% to 13.0%)",
        ),
        ({}, {}, "+100% (+70% to +130%)"),
        ({"compared_by": "ratio"}, {}, "2 times as high (1.67 to 2.41)"),
        ({"metric": "psnr_gain"}, {}, "+1.00 dB (+0.70 to +1.30)"),
    ],
)
def test_effects_in_words(changes, references, words):
    claim = replace(CLAIM, **changes)
    data = trials([0.9, 1.0, 1.1, 1.0], [1.8, 2.0, 2.2, 2.0], claim.metric)
    outcome = judge(claim, data)
    assert effect_in_words(outcome, references).split(" (")[0] == words.split(" (")[0]
    assert "to" in effect_in_words(outcome, references)


def test_effects_that_have_no_sign_are_in_deviations():
    outcome = judged([-1.0, 0.0, 1.0], [1.0, 2.0, 3.0])
    assert effect_in_words(outcome, {}).startswith("2 standard deviations (")


# --- bad input ---


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"planned": 1}, "planned with 1 values a group: at least 2"),
        ({"success": Success()}, "either at_most or at_least"),
        ({"success": Success(at_most=1.0), "margin": 0.1}, "leave out margin"),
        ({"success": Success(at_most=1.0), "lower": 1.5}, "with 1.5: it must be between 0 and 1"),
    ],
)
def test_claims_that_contradict_themselves_are_refused(changes, message):
    with pytest.raises(InputError, match=rf"claim 'Deep is lower\.' .*{message}"):
        replace(CLAIM, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "enrgy"}, "is about 'enrgy', which no trial reports"),
        ({"lower": where(model="dep")}, "no trial of the space is lower: its group is empty"),
        ({"lower": lambda params: True}, r"groups that overlap: \{'model': 'plain'\} is both"),
        ({"lower": lambda params: params["depth"] > 1}, r"cannot tell which trials are lower \(KeyError"),
    ],
)
def test_claims_that_a_space_cannot_decide_are_refused_by_name(changes, message):
    with pytest.raises(InputError, match=rf"claim 'Deep is lower\.' .*{message}"):
        check_claim(replace(CLAIM, **changes), POINTS, {"energy"})
    check_claim(CLAIM, POINTS, {"energy"})
    check_claim(CLAIM, POINTS, None)


WRONG = """
from search_spaces.claim import Claim, where
from search_spaces.toy_plane import ToyPlane

class Wrong(ToyPlane):
    def claims(self):
        return [Claim("Deep.", "[A 2000]", "enrgy", where(model="M1_A"), where(model="M0_A"))]
"""


def test_a_space_with_such_a_claim_is_refused_when_it_is_loaded(tmp_path):
    (tmp_path / "wrong.py").write_text(WRONG)
    with pytest.raises(InputError, match=r"claim 'Deep\.' is about 'enrgy', which no trial reports"):
        make_plan(StudyConfig(space=f"{tmp_path}/wrong.py:Wrong", scale="smoke", storage_dir=tmp_path))


@pytest.mark.parametrize("name", SPACES)
def test_the_claims_of_every_space_can_be_decided(name, tmp_path):
    space = resolve("space", name, SPACES, object)
    for scale in space.scales:
        plan = make_plan(StudyConfig(space=name, scale=scale, storage_dir=tmp_path))
        assert len(plan.claims) == len(plan.space.claims())


# --- registration ---


def test_what_was_registered_is_not_written_again_and_a_change_is_after_the_fact(tmp_path):
    register(tmp_path, [CLAIM], Models("smoke"), 3, "abc")
    before = (tmp_path / REGISTERED_FILE).read_text()
    (kept,) = registered(tmp_path)["claims"]
    assert kept["lower"] == ["model deep"]
    assert kept["rule"] == "energy is lower in the first group"
    assert registered(tmp_path)["commit"] == "abc"
    changed = replace(CLAIM, margin=0.5)
    register(tmp_path, [changed], Models("smoke"), 3, "def")
    assert (tmp_path / REGISTERED_FILE).read_text() == before
    outcomes = [judge(claim, trials([1, 2], [3, 4])) for claim in (CLAIM, changed, replace(CLAIM, planned=5))]
    late = [each.after_the_fact for each in with_context(outcomes, Models("smoke"), registered(tmp_path), {})]
    assert late == [False, True, True]


@pytest.mark.parametrize("damage", [None, b"", b"{"])
def test_where_nothing_was_registered_all_is_after_the_fact(tmp_path, damage):
    if damage is not None:
        (tmp_path / REGISTERED_FILE).write_bytes(damage)
    outcome = judge(CLAIM, trials([1, 2], [3, 4]))
    assert with_context([outcome], Models("smoke"), registered(tmp_path), {})[0].after_the_fact


def test_a_group_that_changes_is_another_claim():
    hashes = {
        record(claim, Models("smoke"))["sha256"]
        for claim in (CLAIM, replace(CLAIM, lower=where(model="plain")), replace(CLAIM, paired_by=(SEED,)))
    }
    assert len(hashes) == 3


# --- what is written and shown ---


def test_claims_json_is_whole_and_names_what_was_withdrawn(tmp_path):
    other = replace(CLAIM, text="Plain is lower.")
    register(tmp_path, [CLAIM, other], Models("smoke"), 3, "abc")
    outcomes = [judge(CLAIM, trials([1.0, 1.1, 0.9], [2.0, 2.1, None]), "minimize")]
    judged_ones = with_context(outcomes, Models("smoke"), registered(tmp_path), {})
    write_claims(tmp_path / "claims.json", judged_ones, registered(tmp_path))
    content = json.loads((tmp_path / "claims.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert content["withdrawn"] == ["Plain is lower."]
    assert content["claims"][0]["higher"] == [2.0, 2.1, None]
    assert content["counts"] == counts(judged_ones)
    assert content["claims"][0]["verdict"] == "undecided"


def test_failed_trials_are_values_and_lost_ones_are_not():
    study = optuna.create_study()
    half = [{"energy": 2.0}, None]
    for state, attrs in (
        ("COMPLETE", {METRICS: {"energy": 1.0}}),
        ("FAIL", {"failure": "NaN"}),
        ("FAIL", {}),
        ("FAIL", {"failure": "1 of 2 seeds diverged", PER_SEED: half}),
    ):
        study.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState[state], value=1.0 if state == "COMPLETE" else None, user_attrs=attrs
            )
        )
    assert [seeds for _, seeds in ended(study)] == [[{"energy": 1.0}], [None], [None], half]


def test_the_screen_shows_both_counts_and_the_command_that_decides(tmp_path, capsys):
    plan = make_plan(StudyConfig(space="toy_plane", scale="smoke", seeds=3, storage_dir=tmp_path, name="s"))
    outcome = judge(CLAIM, trials([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]))
    Console().print_claims(plan, with_context([outcome], Models("smoke"), NOTHING, {}))
    shown = capsys.readouterr().out
    assert "claims, each for itself: 0 supported, 0 contradicted, 1 undecided" in shown
    assert "claims, by Holm's correction: 0 supported, 0 contradicted, 1 undecided" in shown
    assert "1 claims were added or changed after the study had started" in shown
    assert "With 17 seeds, about 1 more would be decided" in shown
    assert f"--config {tmp_path}/studies/s/study.json --seeds 17 --storage-dir {tmp_path}" in shown
    assert not math.isnan(outcome.difference)


def test_an_open_interval_is_said_and_not_printed_as_infinite():
    """Equal values decide nothing: their interval has no ends."""
    claim = Claim("x is lower.", "[Someone 2020]", "boundary", lambda p: p["x"], lambda p: not p["x"])
    outcome = judge(claim, [({"x": True}, [{"boundary": 0.5}]), ({"x": False}, [{"boundary": 1.0}] * 3)])
    assert not all(map(math.isfinite, outcome.interval))
    assert effect_in_words(outcome, {}) == "+100% (an end of the interval is open)"

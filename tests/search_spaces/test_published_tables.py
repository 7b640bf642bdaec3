"""The documents' own tables, fed as data, support the claims that we take from them."""

from __future__ import annotations

import numpy as np
import pytest

from search_spaces import published_gan
from search_spaces.ablation import Ablation
from search_spaces.published import VARIANTS
from search_spaces.step_ratio import StepRatio
from search_spaces.table51 import Table51, Table51Cifar10
from study.claims import judge


def table51(scores, deviations, is_reversed):
    """Three values per cell with the published mean and deviation; `is_reversed` pairs a cell's highest with the lowest
    of the same depth."""
    steps = {"both": (-1, 0, 1), "generator": (1, 0, -1) if is_reversed else (-1, 0, 1)}
    return [
        (
            {"batch_norm": place, "depth": depth},
            [{"is_best": score + step * deviation} for step in steps[place]],
        )
        for place in scores
        for depth, (score, deviation) in enumerate(zip(scores[place], deviations[place], strict=True))
    ]


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize(
    ("space", "scores", "deviations"),
    [
        (Table51, published_gan.MNIST_SCORES, published_gan.MNIST_DEVIATIONS),
        (Table51Cifar10, published_gan.CIFAR10_SCORES, published_gan.CIFAR10_DEVIATIONS),
    ],
)
def test_table_5_1(space, scores, deviations, is_reversed):
    trials = table51(scores, deviations, is_reversed)
    for claim in space("paper").claims():
        if claim.metric != "is_best":
            continue  # the table has scores only
        assert judge(claim, trials, "maximize").verdict == "supported", claim.text


def test_table_5_1_without_its_deviations_still_has_what_is_paired_by_depth():
    trials = table51(published_gan.MNIST_SCORES, dict.fromkeys(published_gan.BATCH_NORM, (0,) * 6), False)
    trials = [(params, seeds[:1]) for params, seeds in trials]
    (by_depth,) = [c for c in Table51("paper").claims() if c.paired_by and c.metric == "is_best"]
    outcome = judge(by_depth, trials, "maximize")
    assert len(outcome.lower) == 6
    assert outcome.verdict == "supported"


@pytest.mark.parametrize("space", [Table51, Table51Cifar10])
def test_a_table_with_its_halves_exchanged_does_not_support_what_is_said_of_them(space):
    scores, deviations = {
        Table51: (published_gan.MNIST_SCORES, published_gan.MNIST_DEVIATIONS),
        Table51Cifar10: (published_gan.CIFAR10_SCORES, published_gan.CIFAR10_DEVIATIONS),
    }[space]
    exchanged = table51(*({"both": t["generator"], "generator": t["both"]} for t in (scores, deviations)), True)
    for of_halves in (c for c in space("paper").claims() if c.paired_by and c.metric == "is_best"):
        assert judge(of_halves, exchanged, "maximize").verdict == "contradicted"


def test_table_4_1():
    trials = [({"variant": name}, [{"fid_best": variant.fid_inception_best}]) for name, variant in VARIANTS.items()]
    for scale in ("laptop", "paper"):
        # The table also has epochs of some of the best distances, not of all.
        of_the_norm, *others = (
            judge(claim, trials, "minimize") for claim in Ablation(scale).claims() if claim.metric == "fid_best"
        )
        assert of_the_norm.lower == (30.96, 34.60, 27.69)
        assert of_the_norm.higher == (57.16, 63.29, 60.38)
        assert of_the_norm.verdict == "supported"
        for outcome in others:  # each variant was trained once
            assert outcome.lower < outcome.higher, outcome.claim.text
            assert outcome.claim.margin is None or outcome.difference < outcome.claim.margin
            assert outcome.verdict == "undecided"


def exercise(space, rng, **means):
    """What the exercise's six trainings might give: 10% of noise, three seeds at each ratio."""
    losses = {"saturating": 0.01, "non_saturating": 0.9, "l2": 0.3}
    return [
        (first.params, [_metrics(rng, means[loss], losses[loss]) for _ in range(3)])
        for first in space.first_trials()
        if (loss := first.params["loss"]) in means
    ]


def _metrics(rng, fid, loss):
    return {"fid_best": fid * (1 + 0.1 * rng.normal()), "loss_discriminator": loss * (1 + 0.1 * rng.normal())}


def verdicts(rng, trials_per_loss=6, **means):
    """How often each claim of the exercise is supported and contradicted in 50 studies."""
    space = StepRatio("laptop")
    claims = space.claims()
    seen = {claim.text: [] for claim in claims}
    for _ in range(50):
        trials = exercise(space, rng, **means)
        if trials_per_loss == 3:  # one ratio alone
            trials = trials[:3]
        for claim in claims:
            seen[claim.text].append(judge(claim, trials, "minimize").verdict)
    shares = [(v.count("supported") / 50, v.count("contradicted") / 50) for v in seen.values()]
    return dict(zip(("ns<sat", "l2<sat", "close", "ns<l2", "loss", "early", "rise"), shares, strict=True))


@pytest.mark.parametrize("n", [3, 6])
def test_the_exercises_own_finding_is_supported(n):
    shares = verdicts(np.random.default_rng(0), n, non_saturating=10, l2=12, saturating=300)
    for name in ("ns<sat", "l2<sat", "close", "loss"):
        assert shares[name][0] >= 0.9, name
        assert shares[name][1] == 0, name
    assert shares["ns<l2"][0] >= (0.1 if n == 3 else 0.5)  # 20% of difference, 10% of noise


def test_least_squares_as_bad_as_saturating_are_not_close_to_the_best():
    shares = verdicts(np.random.default_rng(0), non_saturating=10, l2=100, saturating=100)
    assert shares["close"][1] >= 0.95
    assert shares["l2<sat"][0] <= 0.05
    assert shares["ns<sat"][0] >= 0.95


def test_least_squares_better_than_the_rest_are_not_said_to_be_worse():
    shares = verdicts(np.random.default_rng(0), non_saturating=12, l2=10, saturating=300)
    assert shares["ns<l2"][0] <= 0.05
    assert shares["ns<l2"][1] >= 0.5


def test_a_saturating_loss_that_diverges_speaks_against_it():
    space = StepRatio("laptop")
    trials = exercise(space, np.random.default_rng(0), non_saturating=10, l2=12)
    trials += [(first.params, [None] * 3) for first in space.first_trials() if first.params["loss"] == "saturating"]
    found = {claim.text: judge(claim, trials, "minimize").verdict for claim in space.claims()[:2]}
    assert set(found.values()) == {"supported"}

"""How many residual blocks, with BatchNorm in the discriminator or without, at which learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.trial import BaseTrial

from search_spaces import published_gan as published
from search_spaces.space import Claim, FirstTrial, Group, Scale, SearchSpace

SMALL = {"generator_width": 1 / 4, "discriminator_width": 1 / 4, "init_std": 0.05}
"""Settings with which one core trains on the 8x8 digits in half a minute: narrow, so with larger initial weights."""

SCALES = {
    "smoke": Scale(
        dataset="digits",
        trials=2,
        rounds=4,
        evaluate_every=2,
        num_samples=128,
        fixed=SMALL | {"generator_width": 1 / 16, "discriminator_width": 1 / 16},
    ),
    "laptop": Scale(dataset="digits", trials=16, rounds=600, evaluate_every=100, num_samples=1024, fixed=SMALL),
    "paper": Scale(
        dataset="mnist",
        trials=60,
        rounds=published.MNIST_ITERATIONS,
        evaluate_every=published.ITERATIONS_BETWEEN_SCORES,
        num_samples=published.SAMPLES_PER_SCORE,
        features="inception",
        gpus_per_trial=1.0,
    ),
}

RATES = {"smoke": 1e-3, "laptop": 1e-3, "paper": published.LEARNING_RATE}
"""The learning rate to start from: the published one, or one found by hand for few iterations of narrow networks."""

RATE_RANGE = (5e-5, 5e-3)
MAX_DEPTH = 5


class Depth(SearchSpace):
    """Thesis of 2017, section 5.2: what capacity is good for. Both networks have the same depth and rate."""

    name = "depth"
    description = "residual GANs: number of blocks, BatchNorm in D or not, learning rate"
    method = "gan"
    scales = SCALES

    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        depth = trial.suggest_int("depth", 0, MAX_DEPTH)
        rate = trial.suggest_float("learning_rate", *RATE_RANGE, log=True)
        return {
            "generator_depth": depth,
            "discriminator_depth": depth,
            "batch_norm": trial.suggest_categorical("batch_norm", published.BATCH_NORM),
            "generator_lr": rate,
            "discriminator_lr": rate,
        }

    def first_trials(self) -> list[FirstTrial]:
        """The plain network and the published best one, with BatchNorm in both networks and in G alone."""
        return [
            FirstTrial(
                f"M{depth}_B, BatchNorm in {place}",
                {"depth": depth, "learning_rate": RATES[self.scale_name], "batch_norm": place},
                {"is_lenet_best": published.MNIST_SCORES[place][depth]},
            )
            for depth in (0, 3)
            for place in published.BATCH_NORM
        ]

    def claims(self) -> list[Claim]:
        source = "thesis of 2017, section 5.2"
        metric = "fid_lenet_best"
        return [
            Claim("Capacity helps up to three blocks.", source, metric, lower=_blocks(2, 3), higher=_blocks(0, 0)),
            Claim("More than three blocks no longer help.", source, metric, lower=_blocks(2, 3), higher=_blocks(4, 5)),
            Claim("MNIST gets worse without BatchNorm in D.", source, metric, lower=_with_d, higher=_without_d),
        ]


def _blocks(fewest: int, most: int) -> Group:
    return lambda params: fewest <= params["depth"] <= most and _with_d(params)


def _with_d(params: Mapping[str, Any]) -> bool:
    return params["batch_norm"] == "both"


def _without_d(params: Mapping[str, Any]) -> bool:
    return params["batch_norm"] == "generator"

"""The 2-D simulation: a discriminator alone on a spiral, with and without the gradient norm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from optuna.trial import BaseTrial

from search_spaces.space import Claim, FirstTrial, Scale, SearchSpace, where

SEEDS = {"smoke": 1, "laptop": 5, "paper": 20}
FULL: dict[str, Any] = {"dataset": "spiral", "rounds": 400, "evaluate_every": 50, "num_samples": 300}

# Section 4.1 does not say how the gradient norm is weighted there. Both terms are of the order of 1.
LAMBDA_GNORM = {"with": 1.0, "without": 0.0}

NOISE_DISTANCE = 0.73
"""Mean distance to the spiral, in the data's standard deviations, of uniform points of [-1, 1]^2."""


class ToySpiral(SearchSpace):
    """Thesis of 2022, section 4.1: what the gradient norm does to the loss on the plane."""

    name = "toy_spiral"
    description = "the discriminator-only method on a spiral, with and without the gradient norm x seeds"
    method = "discriminator_only_points"
    objectives = ("energy",)
    exhaustive = True
    scales: ClassVar[Mapping[str, Scale]] = {
        "smoke": Scale(trials=2, dataset="spiral", rounds=4, evaluate_every=2, num_samples=100),
        "laptop": Scale(trials=10, **FULL),
        "paper": Scale(trials=40, **FULL),
    }

    def __init__(self, scale: str) -> None:
        super().__init__(scale)
        self.seeds = SEEDS[scale]

    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        gradient_norm = trial.suggest_categorical("gradient_norm", list(LAMBDA_GNORM))
        return {
            "seed": trial.suggest_int("seed", 0, self.seeds - 1),
            "lambda_gnorm": LAMBDA_GNORM[gradient_norm],
        }

    def first_trials(self) -> list[FirstTrial]:
        """Both variants with the first seed, then with the next."""
        return [
            FirstTrial(f"{name} gradient norm, seed {seed}", {"gradient_norm": name, "seed": seed})
            for seed in range(self.seeds)
            for name in LAMBDA_GNORM
        ]

    def claims(self) -> list[Claim]:
        source = "thesis of 2022, section 4.1"
        with_norm, without = where(gradient_norm="with"), where(gradient_norm="without")
        faster = "with the gradient norm the loss falls faster (its sum over all rounds)"
        lower = "with the gradient norm the loss falls lower (its mean over the last 50 rounds)"
        return [
            Claim(faster, source, "loss_area", lower=with_norm, higher=without),
            Claim(lower, source, "loss_classifier", lower=with_norm, higher=without),
            Claim("random points are moved to the data", source, "distance", lower=with_norm, higher=NOISE_DISTANCE),
        ]

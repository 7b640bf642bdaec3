"""GANs on the plane: depth, BatchNorm in the discriminator, and unequal networks, on two data sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from optuna.trial import BaseTrial

from search_spaces.space import Claim, FirstTrial, Scale, SearchSpace, where

SEEDS = {"smoke": 1, "laptop": 3, "paper": 5}
DATASETS = ("swiss_roll", "eight_gaussians")

DEPTH = 7
MODELS = {
    "M0_A": {"generator_depth": 0, "discriminator_depth": 0, "batch_norm": "both"},
    "M1_A": {"generator_depth": DEPTH, "discriminator_depth": DEPTH, "batch_norm": "both"},
    "M1_A, BN: G": {"generator_depth": DEPTH, "discriminator_depth": DEPTH, "batch_norm": "generator"},
    "G of M0_A, D of M1_A": {"generator_depth": 0, "discriminator_depth": DEPTH, "batch_norm": "both"},
    "G of M1_A, D of M0_A": {"generator_depth": DEPTH, "discriminator_depth": 0, "batch_norm": "both"},
}
"""The three models of section 5.1 and the two unbalanced pairs of appendix C."""

SETTINGS = {
    "generator": "residual_a",
    "discriminator": "residual_a",
    "latent_dim": 32,
    "init_std": 0.1,
    "generator_lr": 1e-4,
    "discriminator_lr": 1e-4,
}
"""Tables A.1, A.3 and A.4; the other settings are the method's defaults."""


class ToyPlane(SearchSpace):
    """Thesis of 2017, section 5.1 and appendix C."""

    name = "toy_plane"
    description = "GANs on the Swiss roll and 8 Gaussians: depth, BatchNorm, unequal networks x seeds"
    method = "gan"
    objectives = ("energy",)
    exhaustive = True
    datasets = DATASETS
    scales: ClassVar[Mapping[str, Scale]] = {
        "smoke": Scale(DATASETS[0], trials=10, rounds=4, evaluate_every=2, num_samples=200, fixed=SETTINGS),
        # Section 5.1: samples are drawn at 100 and at multiples of 1,000 iterations.
        "laptop": Scale(
            DATASETS[0],
            trials=30,
            rounds=20_000,
            evaluate_every=1000,
            first_evaluation=100,
            num_samples=10_000,
            fixed=SETTINGS,
        ),
        # Appendix A.2 has ten times as many iterations as section 5.1.
        "paper": Scale(
            DATASETS[0],
            trials=50,
            rounds=200_000,
            evaluate_every=5000,
            first_evaluation=100,
            num_samples=10_000,
            fixed=SETTINGS,
        ),
    }

    def __init__(self, scale: str) -> None:
        super().__init__(scale)
        self.seeds = SEEDS[scale]

    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        return {
            "dataset": trial.suggest_categorical("dataset", DATASETS),
            "seed": trial.suggest_int("seed", 0, self.seeds - 1),
            **MODELS[trial.suggest_categorical("model", list(MODELS))],
        }

    def first_trials(self) -> list[FirstTrial]:
        """Every model on both data sets with the first seed, then with the next; the slow deep ones before others."""
        slow_first = sorted(MODELS, key=lambda model: -sum(v for v in MODELS[model].values() if isinstance(v, int)))
        return [
            FirstTrial(f"{model}, {dataset}, seed {seed}", {"dataset": dataset, "seed": seed, "model": model})
            for seed in range(self.seeds)
            for model in slow_first
            for dataset in DATASETS
        ]

    def claims(self) -> list[Claim]:
        return [claim for dataset in DATASETS for claim in _claims(dataset)]


def _claims(dataset: str) -> list[Claim]:
    depth, balance = "thesis of 2017, section 5.1", "thesis of 2017, appendix C"
    plain, deep, without, strong_d, strong_g = (where(dataset=dataset, model=model) for model in MODELS)
    swing = "loss_generator_swing"
    claims = [
        Claim("the deep model is closer to the data than the plain one", depth, "energy", deep, plain),
        Claim("so it is without BN in D", depth, "energy", without, plain),
        Claim("without BN in D it ends closer than with it", depth, "energy", without, deep),
        Claim("naive depth makes the training oscillate", depth, swing, plain, deep),
        Claim("without BN in D it oscillates less", depth, swing, without, deep),
        Claim("a D with more capacity rejects what G makes", balance, "output_generated", strong_d, plain),
        Claim("G's loss rises with it", balance, "loss_generator", plain, strong_d),
        Claim("a G with more capacity is steadier than a D with more", balance, swing, strong_g, strong_d),
        Claim("but ends farther from the data than two deep networks", balance, "energy", without, strong_g),
    ]
    return [replace(claim, text=f"{dataset}: {claim.text}") for claim in claims]

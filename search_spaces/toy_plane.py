"""GANs on the plane: depth, BatchNorm in the discriminator, and unequal networks, on two data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from optuna.trial import BaseTrial

from search_spaces.space import Claim, FirstTrial, Scale, SearchSpace

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


def _claims(dataset: str) -> list[Claim]:
    def claim(text: str, metric: str, model: str, direction: Literal["lower", "higher"], other: str) -> Claim:
        group, others = ({"dataset": dataset, "model": name} for name in (model, other))
        return Claim(f"{dataset}: {text}", metric, group, direction, others)

    plain, deep, without, strong_d, strong_g = MODELS
    return [
        claim("the deep model is closer to the data than the plain one", "energy", deep, "lower", plain),
        claim("so it is without BN in D", "energy", without, "lower", plain),
        claim("without BN in D it ends closer than with it", "energy", without, "lower", deep),
        claim("naive depth makes the training oscillate", "loss_generator_swing", deep, "higher", plain),
        claim("without BN in D it oscillates less", "loss_generator_swing", without, "lower", deep),
        claim("D with more capacity rejects what G makes", "output_generated", strong_d, "lower", plain),
        claim("and G's loss rises", "loss_generator", strong_d, "higher", plain),
        claim("G with more capacity is steadier than D with more", "loss_generator_swing", strong_g, "lower", strong_d),
        claim("but ends farther from the data than two deep networks", "energy", strong_g, "higher", without),
    ]


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
    claims: ClassVar[Sequence[Claim]] = [claim for dataset in DATASETS for claim in _claims(dataset)]

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

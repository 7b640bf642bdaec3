"""The seven published variants of discriminator-only generation, each with several seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from optuna.trial import BaseTrial

from search_spaces import gradnorm, published
from search_spaces.space import FirstTrial, Scale, SearchSpace

SEEDS = {"smoke": 1, "laptop": 3, "paper": 5}


class Ablation(SearchSpace):
    """Thesis of 2022, table 4.1: what each term adds to the baseline."""

    name = "ablation"
    description = "the seven published variants of discriminator-only generation x seeds"
    method = "discriminator_only"
    exhaustive = True
    scales: ClassVar[Mapping[str, Scale]] = {
        name: replace(scale, trials=len(published.VARIANTS) * SEEDS[name]) for name, scale in gradnorm.SCALES.items()
    }

    def __init__(self, scale: str) -> None:
        super().__init__(scale)
        self.seeds = SEEDS[scale]
        self.max_updates = gradnorm.MAX_UPDATES[scale][1]

    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        variant = trial.suggest_categorical("variant", list(published.VARIANTS))
        return {
            "seed": trial.suggest_int("seed", 0, self.seeds - 1),
            "discriminator_lr": published.DISCRIMINATOR_LR,
            "image_lr": published.IMAGE_LR,
            "max_updates": self.max_updates,
            "lambda_stat": published.LAMBDA_STAT,
            **published.VARIANTS[variant].weights,
        }

    def first_trials(self) -> list[FirstTrial]:
        """Every variant with the first seed, then with the next."""
        return [
            FirstTrial(
                f"published: {name}, seed {seed}",
                {"variant": name, "seed": seed},
                {"fid_inception_best": variant.fid_inception_best},
            )
            for seed in range(self.seeds)
            for name, variant in published.VARIANTS.items()
        ]

"""Table 5.1 of the thesis of 2017: every depth with BatchNorm in both networks and in the generator alone.

A study has one data set, so the table's two halves are two spaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from optuna.trial import BaseTrial

from search_spaces import depth
from search_spaces import published_gan as published
from search_spaces.space import Claim, FirstTrial, Scale, SearchSpace


class Table51(SearchSpace):
    """The MNIST half: `M0_B` to `M5_B`. Their scores are of a classifier, as `is_lenet` is."""

    name = "table51"
    description = "the published grid of residual GANs on MNIST: depth x BatchNorm in D or not"
    method = "gan"
    objectives = ("is_lenet_best",)
    exhaustive = True
    scores: ClassVar[Mapping[str, tuple[float, ...]]] = published.MNIST_SCORES
    metric: ClassVar[str] = "is_lenet_best"
    """What was published: the name of the metric that it is comparable with."""
    scales: ClassVar[Mapping[str, Scale]] = {
        name: replace(s, trials=12, features="lenet") for name, s in depth.SCALES.items()
    }

    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        blocks = trial.suggest_int("depth", 0, len(self.scores["both"]) - 1)
        rate = depth.RATES[self.scale_name]
        return {
            "generator_depth": blocks,
            "discriminator_depth": blocks,
            "batch_norm": trial.suggest_categorical("batch_norm", published.BATCH_NORM),
            "generator_lr": rate,
            "discriminator_lr": rate,
        }

    def first_trials(self) -> list[FirstTrial]:
        """Every cell of the table."""
        return [
            FirstTrial(
                f"published: M{blocks}, BatchNorm in {place}",
                {"depth": blocks, "batch_norm": place},
                {self.metric: score},
            )
            for place, scores in self.scores.items()
            for blocks, score in enumerate(scores)
        ]

    def claims(self) -> list[Claim]:
        return [
            Claim(
                "Residual blocks help.",
                "thesis of 2017, table 5.1",
                "is_lenet_best",
                lower=lambda params: params["depth"] == 0 and params["batch_norm"] == "both",
                higher=lambda params: params["depth"] > 0 and params["batch_norm"] == "both",
            ),
            Claim(
                "MNIST gets worse without BatchNorm in D.",
                "thesis of 2017, section 5.2",
                "is_lenet_best",
                lower=lambda params: params["batch_norm"] == "generator",
                higher=lambda params: params["batch_norm"] == "both",
            ),
        ]


class Table51Cifar10(Table51):
    """The CIFAR-10 half: `M0_C` to `M3_C`. The published scores are Inception's, which the paper scale measures."""

    name = "table51_cifar10"
    description = "the published grid of residual GANs on CIFAR-10: depth x BatchNorm in D or not"
    scores = published.CIFAR10_SCORES
    metric = "is_inception_best"
    scales: ClassVar[Mapping[str, Scale]] = {
        name: replace(
            scale,
            trials=8,
            dataset="cifar10" if name == "paper" else scale.dataset,
            rounds=published.CIFAR10_ITERATIONS if name == "paper" else scale.rounds,
            fixed={**scale.fixed, "generator": "residual_c", "discriminator": "residual_c"},
        )
        for name, scale in depth.SCALES.items()
    }

    def claims(self) -> list[Claim]:
        return [
            Claim(
                "Without BatchNorm in D, depth helps.",
                "thesis of 2017, table 5.1",
                "is_lenet_best",
                lower=lambda params: params["depth"] < 2 and params["batch_norm"] == "generator",
                higher=lambda params: params["depth"] >= 2 and params["batch_norm"] == "generator",
            ),
            Claim(
                "Deep networks are better without BatchNorm in D.",
                "thesis of 2017, section 5.2",
                "is_lenet_best",
                lower=lambda params: params["depth"] >= 2 and params["batch_norm"] == "both",
                higher=lambda params: params["depth"] >= 2 and params["batch_norm"] == "generator",
            ),
        ]

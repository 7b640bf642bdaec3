"""Table 5.1 of [Yamazaki 2017]: every depth with BatchNorm in both networks and in the generator alone.

A study has one data set, so the table's two halves are two spaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from search_spaces import gan_scales, published_gan
from search_spaces.claim import Claim, where
from search_spaces.grid import GridSpace, Point
from search_spaces.space import Scale, Suggestion


class Table51(GridSpace):
    """The MNIST half: `M0_B` to `M5_B`. Their scores are of a classifier, so at every scale ours are, too."""

    name = "table51"
    description = "the published grid of residual GANs on MNIST: depth x BatchNorm in D or not"
    method = "gan"
    objectives = ("is_best",)
    scales: ClassVar[Mapping[str, Scale]] = {
        **gan_scales.SCALES,
        "paper": replace(
            gan_scales.SCALES["paper"], measures=gan_scales.measures(published_gan.SAMPLES_PER_SCORE, features="lenet")
        ),
    }
    grid: ClassVar = {"batch_norm": published_gan.BATCH_NORM, "depth": range(6)}
    scores: ClassVar[Mapping[str, tuple[float, ...]]] = published_gan.MNIST_SCORES
    published_metric: ClassVar[str] = "is_lenet_best"

    def suggestion(self, point: Point) -> Suggestion:
        rate = gan_scales.RATES[self.scale_name]
        return Suggestion(
            {
                "generator_depth": point["depth"],
                "discriminator_depth": point["depth"],
                "batch_norm": point["batch_norm"],
                "generator_lr": rate,
                "discriminator_lr": rate,
            }
        )

    def point_name(self, point: Point) -> str:
        return f"published: M{point['depth']}, BatchNorm in {point['batch_norm']}"

    def published(self, point: Point) -> Mapping[str, float]:
        return {self.published_metric: self.scores[point["batch_norm"]][point["depth"]]}

    def claims(self) -> list[Claim]:
        return [
            Claim(
                "With BatchNorm in both networks, residual blocks raise the Inception Score.",
                "[Yamazaki 2017], table 5.1",
                "is_best",
                lower=where(depth=0, batch_norm="both"),
                higher=lambda params: params["depth"] > 0 and params["batch_norm"] == "both",
            ),
            Claim(
                "Digits have a lower Inception Score without BatchNorm in the discriminator than with it.",
                "[Yamazaki 2017], section 5.2",
                "is_best",
                lower=where(batch_norm="generator"),
                higher=where(batch_norm="both"),
            ),
        ]


class Table51Cifar10(Table51):
    """The CIFAR-10 half: `M0_C` to `M3_C`. The published scores are Inception's, which the paper scale measures."""

    name = "table51_cifar10"
    description = "the published grid of residual GANs on CIFAR-10: depth x BatchNorm in D or not"
    scales: ClassVar[Mapping[str, Scale]] = {
        name: replace(
            scale,
            dataset="cifar10" if name == "paper" else scale.dataset,
            rounds=published_gan.CIFAR10_ITERATIONS if name == "paper" else scale.rounds,
            fixed={**scale.fixed, "generator": "residual_c", "discriminator": "residual_c"},
        )
        for name, scale in gan_scales.SCALES.items()
    }
    grid: ClassVar = {"batch_norm": published_gan.BATCH_NORM, "depth": range(4)}
    scores = published_gan.CIFAR10_SCORES
    published_metric = "is_inception_best"

    def claims(self) -> list[Claim]:
        return [
            Claim(
                "Without BatchNorm in the discriminator, two or three residual blocks score higher than one or none.",
                "[Yamazaki 2017], table 5.1",
                "is_best",
                lower=lambda params: params["depth"] < 2 and params["batch_norm"] == "generator",
                higher=lambda params: params["depth"] >= 2 and params["batch_norm"] == "generator",
            ),
            Claim(
                "Two or three residual blocks score higher without BatchNorm in the discriminator than with it.",
                "[Yamazaki 2017], section 5.2",
                "is_best",
                lower=lambda params: params["depth"] >= 2 and params["batch_norm"] == "both",
                higher=lambda params: params["depth"] >= 2 and params["batch_norm"] == "generator",
            ),
        ]

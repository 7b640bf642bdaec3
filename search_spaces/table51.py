"""Table 5.1 of [Yamazaki 2017]: every depth with BatchNorm in both networks and in the generator alone.

A study has one data set, so the table's two halves are two spaces. The table's "+-" is the deviation between the splits
of a score (`published_gan`); between seeds there is none, since each cell was trained once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from search_spaces import gan_scales, published_gan
from search_spaces.claim import SEED, Claim, where
from search_spaces.grid import GridSpace, Point
from search_spaces.image_measures import BESIDE_CLASSIFIER
from search_spaces.space import Scale, Suggestion
from trainables.measures.base import MeasureSettings
from trainables.measures.settings import ExtractorName

SEEDS = {"smoke": 1, "laptop": 3, "paper": 1}


def _measures(scale_name: str, features: ExtractorName) -> tuple[MeasureSettings, ...]:
    num_samples = {"smoke": 128, "laptop": 1024, "paper": published_gan.SAMPLES_PER_SCORE}[scale_name]
    beside = (BESIDE_CLASSIFIER,) if scale_name == "laptop" else ()
    return gan_scales.measures(num_samples, features, published_gan.INCEPTION_SPLITS, beside)


class Table51(GridSpace):
    """The MNIST half: `M0_B` to `M5_B`. The published scores are by a classifier, so ours are, too, at every scale."""

    name = "table51"
    description = "the published grid of residual GANs on MNIST: depth x BatchNorm in D or not"
    method = "gan"
    objectives = ("is_best",)
    scales: ClassVar[Mapping[str, Scale]] = {
        name: replace(scale, seeds=SEEDS[name], measures=_measures(name, "lenet"))
        for name, scale in gan_scales.SCALES.items()
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
        both = where(batch_norm="both")
        return [
            Claim(
                "With BatchNorm in both networks, residual blocks raise the Inception Score.",
                "[Yamazaki 2017], table 5.1",
                "is_best",
                lower=where(depth=0, batch_norm="both"),
                higher=lambda params: params["depth"] > 0 and both(params),
            ),
            Claim(
                "With BatchNorm in both networks, the Inception Scores with four or five residual blocks and with "
                "three differ by less than 0.2.",
                "[Yamazaki 2017], section 5.2",
                "is_best",
                lower=lambda params: params["depth"] > 3 and both(params),
                higher=where(depth=3, batch_norm="both"),
                margin=0.2,
            ),
            Claim(
                "Digits have a lower Inception Score without BatchNorm in the discriminator than with it.",
                "[Yamazaki 2017], section 5.2",
                "is_best",
                lower=where(batch_norm="generator"),
                higher=both,
                paired_by=("depth", SEED),
            ),
            Claim(
                "The generator's loss oscillates more with three residual blocks or more than with none.",
                "[Yamazaki 2017], section 6.1",
                "loss_generator_swing_overall",
                lower=where(depth=0, batch_norm="both"),
                higher=lambda params: params["depth"] >= 3 and both(params),
            ),
            Claim(
                "Without BatchNorm in the discriminator, digits hardly gain from residual blocks: the Inception Scores "
                "with some and with none differ by less than 0.4.",
                "[Yamazaki 2017], table 5.1",
                "is_best",
                lower=where(depth=0, batch_norm="generator"),
                higher=lambda params: params["depth"] > 0 and params["batch_norm"] == "generator",
                margin=0.4,
            ),
            Claim(
                "With three residual blocks or more, the generator's loss oscillates less without BatchNorm in the "
                "discriminator than with it.",
                "[Yamazaki 2017], section 5.2",
                "loss_generator_swing_overall",
                lower=lambda params: params["depth"] >= 3 and params["batch_norm"] == "generator",
                higher=lambda params: params["depth"] >= 3 and both(params),
                paired_by=("depth", SEED),
            ),
            Claim(
                "The generator's loss rises more during the training with three residual blocks or more than with "
                "none.",
                "[Yamazaki 2017], section 5.2",
                "loss_generator",
                lower=where(depth=0, batch_norm="both"),
                higher=lambda params: params["depth"] >= 3 and both(params),
                curve="rise",
            ),
            Claim(
                "The discriminator's loss falls more during the training with three residual blocks or more than with "
                "none.",
                "[Yamazaki 2017], section 5.2",
                "loss_discriminator",
                lower=lambda params: params["depth"] >= 3 and both(params),
                higher=where(depth=0, batch_norm="both"),
                curve="rise",
            ),
            Claim(
                "The digits of the deepest networks without BatchNorm in the discriminator are less diverse than those "
                "with three residual blocks and BatchNorm in both networks.",
                "[Yamazaki 2017], section 6.2",
                "entropy",
                lower=where(depth=5, batch_norm="generator"),
                higher=where(depth=3, batch_norm="both"),
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
            seeds=SEEDS[name],
            measures=_measures(name, "inception" if name == "paper" else "lenet"),
            fixed={**scale.fixed, "generator": "residual_c", "discriminator": "residual_c"},
        )
        for name, scale in gan_scales.SCALES.items()
    }
    grid: ClassVar = {"batch_norm": published_gan.BATCH_NORM, "depth": range(4)}
    scores = published_gan.CIFAR10_SCORES
    published_metric = "is_inception_best"

    def claims(self) -> list[Claim]:
        without = [where(depth=depth, batch_norm="generator") for depth in range(3)]
        return [
            Claim(
                "Without BatchNorm in the discriminator, one residual block scores higher than none.",
                "[Yamazaki 2017], section 5.2",
                "is_best",
                lower=without[0],
                higher=without[1],
            ),
            Claim(
                "Without BatchNorm in the discriminator, two residual blocks score higher than one.",
                "[Yamazaki 2017], section 5.2",
                "is_best",
                lower=without[1],
                higher=without[2],
            ),
            Claim(
                "Two or three residual blocks score higher without BatchNorm in the discriminator than with it.",
                "[Yamazaki 2017], section 5.2",
                "is_best",
                lower=lambda params: params["depth"] >= 2 and params["batch_norm"] == "both",
                higher=lambda params: params["depth"] >= 2 and params["batch_norm"] == "generator",
                paired_by=("depth", SEED),
            ),
            Claim(
                "With BatchNorm in both networks, two or three residual blocks score lower than none or one.",
                "[Yamazaki 2017], table 5.1",
                "is_best",
                lower=lambda params: params["depth"] >= 2 and params["batch_norm"] == "both",
                higher=lambda params: params["depth"] < 2 and params["batch_norm"] == "both",
            ),
            Claim(
                "One residual block or none scores lower without BatchNorm in the discriminator than with it.",
                "[Yamazaki 2017], section 5.2",
                "is_best",
                lower=lambda params: params["depth"] < 2 and params["batch_norm"] == "generator",
                higher=lambda params: params["depth"] < 2 and params["batch_norm"] == "both",
                paired_by=("depth", SEED),
            ),
            Claim(
                "Two residual blocks without BatchNorm in the discriminator score higher than all other networks.",
                "[Yamazaki 2017], table 5.1",
                "is_best",
                lower=lambda params: not without[2](params),
                higher=without[2],
            ),
            Claim(
                "Without BatchNorm in the discriminator, a third residual block changes the score by less than 0.95, "
                "which the second one gained.",
                "[Yamazaki 2017], table 5.1",
                "is_best",
                lower=where(depth=3, batch_norm="generator"),
                higher=without[2],
                margin=0.95,
            ),
            Claim(
                "Images of three residual blocks with BatchNorm in both networks are less diverse than those of two "
                "without it in the discriminator.",
                "[Yamazaki 2017], section 6.2",
                "entropy",
                lower=where(depth=3, batch_norm="both"),
                higher=without[2],
            ),
        ]

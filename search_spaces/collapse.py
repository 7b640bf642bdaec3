"""What helps against collapse, where a generator makes a few of the things that the data has: two remedies, or none.

A study has one kind of data, so points and images are two spaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from search_spaces.claim import SEED, Claim, where
from search_spaces.gan_scales import COMPARED, RATES
from search_spaces.grid import GridSpace, Point
from search_spaces.space import Scale, Suggestion
from trainables.measures.settings import PointsSettings

PLAIN, MINIBATCH, MATCHING = "plain", "minibatch discrimination", "feature matching"
ARMS: dict[str, dict[str, Any]] = {
    PLAIN: {},
    MINIBATCH: {"minibatch_kernels": 16, "minibatch_dims": 4},
    MATCHING: {"generator_loss": "feature_matching"},
}
SEEDS = 5


class Collapse(GridSpace):
    """[Kitov], minibatch discrimination and feature matching, on images."""

    name = "collapse"
    description = "GANs on images with minibatch discrimination, feature matching or neither"
    method = "gan"
    scales: ClassVar[Mapping[str, Scale]] = {
        name: scale if name == "smoke" else replace(scale, seeds=SEEDS) for name, scale in COMPARED.items()
    }
    grid: ClassVar = {"remedy": tuple(ARMS)}

    def suggestion(self, point: Point) -> Suggestion:
        rate = RATES[self.scale_name]
        return Suggestion({**ARMS[point["remedy"]], "generator_lr": rate, "discriminator_lr": rate})

    def point_name(self, point: Point) -> str:
        return point["remedy"]

    def claims(self) -> list[Claim]:
        plain, minibatch = where(remedy=PLAIN), where(remedy=MINIBATCH)
        source = "[Kitov], minibatch discrimination"
        return [
            Claim(text, source, metric, lower, higher, paired_by=(SEED,))
            for text, metric, lower, higher in (
                ("Minibatch discrimination makes the classes more evenly.", "entropy", plain, minibatch),
                ("Minibatch discrimination covers more of the real images.", "recall", plain, minibatch),
                ("Minibatch discrimination makes fewer images that repeat another.", "duplicates", minibatch, plain),
            )
        ]


# Without BatchNorm, which mixes the examples of a batch, too.
POINTS_SETTINGS = {
    "generator": "residual_a",
    "discriminator": "residual_a",
    "latent_dim": 32,
    "init_std": 0.1,
    "batch_norm": "none",
    "batch_size": 128,
    "generator_lr": 1e-3,
    "discriminator_lr": 1e-3,
}
POINTS_LAPTOP = Scale(
    "eight_gaussians",
    rounds=5000,
    evaluate_every=1000,
    measures=(PointsSettings(num_samples=10_000),),
    seeds=SEEDS,
    fixed=POINTS_SETTINGS,
)


class ToyCollapse(Collapse):
    """The same on 8 Gaussians, where the modes that are made can be counted."""

    name = "toy_collapse"
    description = "GANs on 8 Gaussians with minibatch discrimination, feature matching or neither"
    objectives = ("modes",)
    scales: ClassVar[Mapping[str, Scale]] = {
        "smoke": replace(
            POINTS_LAPTOP, rounds=4, evaluate_every=2, measures=(PointsSettings(num_samples=200),), seeds=1
        ),
        "laptop": POINTS_LAPTOP,
        "paper": replace(POINTS_LAPTOP, rounds=50_000, evaluate_every=5000, seeds=10),
    }

    def suggestion(self, point: Point) -> Suggestion:
        return Suggestion(ARMS[point["remedy"]])

    def claims(self) -> list[Claim]:
        plain = where(remedy=PLAIN)
        return [
            Claim(
                f"On 8 Gaussians, a GAN with {remedy} makes points of more modes than a plain one.",
                f"[Kitov], {remedy}",
                "modes",
                lower=plain,
                higher=where(remedy=remedy),
                paired_by=(SEED,),
            )
            for remedy in (MINIBATCH, MATCHING)
        ]

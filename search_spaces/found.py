"""Published settings of discriminator-only generation against settings that were found, and against plain GANs.

All arms spend about the same CPU time, five times each. The rounds of the arms cost unequally much: the pace of an arm
was measured by `python -m benchmarks arms`. A data set is a space of its own, since each has its own found settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from search_spaces import gan_scales
from search_spaces.claim import SEED, Claim, where
from search_spaces.discriminator_only_scales import LAPTOP_MEASURES, SCALES
from search_spaces.grid import GridSpace, Point
from search_spaces.published import LAMBDA_STAT, RATES, VARIANTS
from search_spaces.space import Scale, Suggestion

PUBLISHED, M0, M1 = "published", "M0_B", "M1_B"
WITH, WITHOUT = "found, gradient norm", "found, no gradient norm"

PUBLISHED_SETTINGS = {
    **RATES,
    "max_updates": 20,
    "lambda_stat": LAMBDA_STAT,
    **VARIANTS["all"].weights(),
    "pool_slack": 0.25,
}
"""With all terms. The network and the batch are as small as those of the settings that were found, and so is the limit
of updates: with the published 500, an arm would have ten rounds, and most of the images of an evaluation would have to
be made for it."""

ON_DIGITS: Mapping[str, Any] = {
    "width": 1 / 16,
    "batch_size": 64,
    "initial_epochs": 5,
    "discriminator_lr": 1e-2,
    "image_lr": 0.2,
    "max_updates": 10,
    "lambda_stat": 1.0,
    "lambda_tv": 0.0,
    "lambda_gnorm": 0.1,
    "lambda_ce": 0.0,
    "fakes": "just_made",
    "start": "earlier",
    "earlier_share": 0.95,
    "clip_images": True,
}
ON_MNIST5K: Mapping[str, Any] = {
    "width": 1 / 8,
    "batch_size": 32,
    "initial_epochs": 1,
    "discriminator_lr": 2.3e-3,
    "discriminator_updates": 2,
    "image_lr": 0.29,
    "max_updates": 5,
    "lambda_stat": 0.02,
    "lambda_tv": 0.16,
    "lambda_gnorm": 0.05,
    "lambda_ce": 1.1e-3,
    "fakes": "just_made",
    "start": "earlier",
    "earlier_share": 0.975,
    "clip_images": True,
}
# The first were found by hand, with few trainings; the second by `python -m study.launch --space gradnorm`.

SMALLEST = {"width": 1 / 64, "max_updates": 2, "initial_epochs": 1}


class Found(GridSpace):
    """[Yesilcimen 2022], section 4.2: is there something better, and does the gradient norm still help there?

    The settings that were found have the gradient norm; an arm trains them without.
    """

    name = "found"
    description = "published against found settings and against plain GANs, at equal compute, on the digits"
    methods = ("discriminator_only", "gan")
    settings: ClassVar[Mapping[str, Any]] = ON_DIGITS
    paces: ClassVar[Mapping[str, float]] = {PUBLISHED: 0.5, WITH: 1.0, WITHOUT: 1.15, M0: 3.8, M1: 2.5}
    """Rounds of an arm for each round of the arm with the gradient norm."""
    grid: ClassVar = {"arm": (PUBLISHED, WITH, WITHOUT, M0, M1)}
    scales: ClassVar[Mapping[str, Scale]] = {
        "smoke": replace(SCALES["smoke"], fixed={}),
        "laptop": Scale("digits", rounds=400, evaluate_every=50, measures=LAPTOP_MEASURES, seeds=5),
        "paper": replace(SCALES["paper"], fixed={}, rounds=18_760, evaluate_every=469, seeds=5),
    }

    def suggestion(self, point: Point) -> Suggestion:
        arm = point["arm"]
        pace = self.paces[arm]
        if arm in (M0, M1):
            depth, rate = (M0, M1).index(arm), gan_scales.RATES[self.scale_name]
            rates = {"generator_lr": rate, "discriminator_lr": rate}
            config = {**gan_scales.SMALL, **rates, "generator_depth": depth, "discriminator_depth": depth}
            return Suggestion(config, method="gan", pace=pace)
        settings = {**self.settings, **SMALLEST} if self.scale_name == "smoke" else self.settings
        if arm == PUBLISHED:
            network = {name: settings[name] for name in ("width", "batch_size", "initial_epochs")}
            limit = {"max_updates": 2} if self.scale_name == "smoke" else {}
            return Suggestion({**PUBLISHED_SETTINGS, **network, **limit}, method="discriminator_only", pace=pace)
        off = {"lambda_gnorm": 0.0} if arm == WITHOUT else {}
        return Suggestion({**settings, **off}, method="discriminator_only", pace=pace)

    def point_name(self, point: Point) -> str:
        return point["arm"]

    def published(self, point: Point) -> Mapping[str, float]:
        return VARIANTS["all"].figures if point["arm"] == PUBLISHED else {}

    def claims(self) -> list[Claim]:
        source = "[Yesilcimen 2022], section 4.2"
        return [
            Claim(
                "The gradient norm lowers the Frechet distance also with just-made fakes and earlier starts.",
                source,
                "fid_best",
                lower=where(arm=WITH),
                higher=where(arm=WITHOUT),
                paired_by=(SEED,),
            ),
            Claim(
                "The settings that were found have a lower Frechet distance than the published ones.",
                source,
                "fid_best",
                lower=where(arm=WITH),
                higher=where(arm=PUBLISHED),
                paired_by=(SEED,),
            ),
            Claim(
                "A discriminator alone, with the settings that were found, is better than the plain GAN M0_B.",
                source,
                "fid_best",
                lower=where(arm=WITH),
                higher=where(arm=M0),
                paired_by=(SEED,),
            ),
            Claim(
                "A discriminator alone, with the settings that were found, is better than the GAN M1_B.",
                source,
                "fid_best",
                lower=where(arm=WITH),
                higher=where(arm=M1),
                paired_by=(SEED,),
            ),
        ]


class FoundMnist5k(Found):
    """The same on 28x28 digits."""

    name = "found_mnist5k"
    description = "published against found settings and against plain GANs, at equal compute, on mnist5k"
    settings = ON_MNIST5K
    # The first rounds of the published arm end after few updates and are cheap: its pace is that of a whole training.
    paces: ClassVar[Mapping[str, float]] = {PUBLISHED: 0.5, WITH: 1.0, WITHOUT: 1.36, M0: 3.9, M1: 2.6}
    scales: ClassVar[Mapping[str, Scale]] = {
        **Found.scales,
        "laptop": replace(Found.scales["laptop"], dataset="mnist5k", rounds=800, evaluate_every=200),
    }

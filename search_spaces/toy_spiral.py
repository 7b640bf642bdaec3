"""The 2-D simulation: a discriminator alone on a spiral, without the gradient norm and with two weights of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from search_spaces import published
from search_spaces.claim import SEED, Claim, where
from search_spaces.grid import GridSpace, Point
from search_spaces.space import Scale, Suggestion
from trainables.measures.settings import PointsSettings

LAPTOP = Scale("spiral", rounds=400, evaluate_every=50, measures=(PointsSettings(num_samples=300),), seeds=5)

LAMBDA_GNORM = {"with": 1.0, "without": 0.0, "published": published.WEIGHTS["lambda_gnorm"]}
"""Section 4.1 does not say how the gradient norm is weighted there. With weight 1, both terms are of the order of 1.

With the weight 50 of section 4.2.4, the loss ends at 2 ln 2, the loss of a discriminator that is 1/2 everywhere: the
norm outweighs all else, and the discriminator learns nothing. Without the norm, the loss ends there or higher, because
moved points fool the discriminator: a lower end says little for the norm. The sum of the loss over all rounds is higher
than without the norm (593 to 656 against 556 to 570, three seeds), which contradicts that the loss falls faster.
"""

NAMES = {
    "with": "with the gradient norm",
    "without": "without the gradient norm",
    "published": "with 50 times the gradient norm",
}

INITIAL_ACCURACY = 0.84
"""After the initial training, which is the same with and without the gradient norm."""

NOISE_DISTANCE = 0.73
"""Mean distance to the spiral, in the data's standard deviations, of uniform points of [-1, 1]^2."""


class ToySpiral(GridSpace):
    """[Yesilcimen 2022], section 4.1: what the gradient norm does to the loss on the plane."""

    name = "toy_spiral"
    description = "the discriminator-only method on a spiral, with and without the gradient norm"
    method = "discriminator_only_points"
    objectives = ("energy",)
    scales: ClassVar[Mapping[str, Scale]] = {
        "smoke": Scale("spiral", rounds=4, evaluate_every=2, measures=(PointsSettings(num_samples=100),)),
        "laptop": LAPTOP,
        "paper": replace(LAPTOP, seeds=20),
    }
    grid: ClassVar = {"gradient_norm": tuple(LAMBDA_GNORM)}

    def suggestion(self, point: Point) -> Suggestion:
        return Suggestion({"lambda_gnorm": LAMBDA_GNORM[point["gradient_norm"]]})

    def point_name(self, point: Point) -> str:
        return NAMES[point["gradient_norm"]]

    def published(self, point: Point) -> Mapping[str, float]:
        return {"initial_accuracy": INITIAL_ACCURACY}

    def claims(self) -> list[Claim]:
        return [claim for variant in LAMBDA_GNORM if variant != "without" for claim in _claims(variant)]


def _claims(variant: str) -> list[Claim]:
    source = "[Yesilcimen 2022], section 4.1"
    name = NAMES[variant].capitalize()
    norm, without = where(gradient_norm=variant), where(gradient_norm="without")
    faster = f"{name}, the discriminator's loss falls faster: its sum over all rounds is lower."
    lower = f"{name}, the discriminator's loss falls lower: its mean over the last 50 rounds is lower."
    moved = f"{name}, random points are moved towards the spiral."
    return [
        Claim(faster, source, "loss_area", norm, without, paired_by=(SEED,)),
        Claim(lower, source, "loss_classifier", norm, without, paired_by=(SEED,)),
        Claim(moved, source, "distance", norm, NOISE_DISTANCE),
    ]

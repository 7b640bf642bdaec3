"""The 2-D simulation: a discriminator alone on a spiral, with and without the gradient norm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from search_spaces.claim import Claim, where
from search_spaces.grid import GridSpace, Point
from search_spaces.space import Scale, Suggestion
from trainables.measures.settings import PointsSettings

LAPTOP = Scale("spiral", rounds=400, evaluate_every=50, measures=(PointsSettings(num_samples=300),), seeds=5)

# Section 4.1 does not say how the gradient norm is weighted there. Both terms are of the order of 1.
LAMBDA_GNORM = {"with": 1.0, "without": 0.0}

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
        return f"{point['gradient_norm']} gradient norm"

    def published(self, point: Point) -> Mapping[str, float]:
        return {"initial_accuracy": INITIAL_ACCURACY}

    def claims(self) -> list[Claim]:
        source = "[Yesilcimen 2022], section 4.1"
        with_norm, without = where(gradient_norm="with"), where(gradient_norm="without")
        faster = "With the gradient norm, the discriminator's loss falls faster: its sum over all rounds is lower."
        lower = (
            "With the gradient norm, the discriminator's loss falls lower: its mean over the last 50 rounds is lower."
        )
        moved = "With the gradient norm, random points are moved towards the spiral."
        return [
            Claim(faster, source, "loss_area", lower=with_norm, higher=without),
            Claim(lower, source, "loss_classifier", lower=with_norm, higher=without),
            Claim(moved, source, "distance", lower=with_norm, higher=NOISE_DISTANCE),
        ]

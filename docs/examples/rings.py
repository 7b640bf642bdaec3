"""`toy_plane` on other circles of 8 Gaussians: their radius and deviation are not in the document, so others are tried.

python -m study.launch --space docs/examples/rings.py:Rings --seeds 5
"""

from collections.abc import Mapping
from dataclasses import replace
from math import cos, pi, sin
from typing import ClassVar

from search_spaces.claim import Claim
from search_spaces.grid import GridSpace, Point
from search_spaces.space import Scale, Suggestion
from search_spaces.toy_plane import LAPTOP, MODELS
from trainables.data.points import Mixture
from trainables.data.sources import Source, of_points


def ring(radius: float, deviation: float) -> Source:
    """10,000 points of 8 normal distributions around a circle."""
    centres = tuple((radius * cos(k * pi / 4), radius * sin(k * pi / 4)) for k in range(8))
    return of_points(Mixture(f"8 Gaussians, radius {radius:g}, deviation {deviation:g}", 10_000, centres, deviation))


RING_1_002 = ring(1, 0.02)
RING_2_002 = ring(2, 0.02)
RING_4_002 = ring(4, 0.02)
RING_2_01 = ring(2, 0.1)
RING_2_03 = ring(2, 0.3)


class Rings(GridSpace):
    """[Yamazaki 2017], section 5.1, on circles that are smaller, larger or less sharp than the usual one."""

    name = "rings"
    description = "GANs on 8 Gaussians of other radii and deviations"
    method = "gan"
    objectives = ("energy",)
    datasets = tuple(f"rings:RING_{of}" for of in ("1_002", "2_002", "4_002", "2_01", "2_03"))
    scales: ClassVar[Mapping[str, Scale]] = {
        "laptop": replace(LAPTOP, dataset=datasets[0], rounds=10_000, evaluate_at=(), evaluate_every=2000)
    }
    grid: ClassVar = {"model": ("M1_A, BN: G", "M0_A"), "dataset": datasets}

    def suggestion(self, point: Point) -> Suggestion:
        return Suggestion(MODELS[point["model"]], point["dataset"])

    def point_name(self, point: Point) -> str:
        return f"{point['model']}, {point['dataset']}"

    def claims(self) -> list[Claim]:
        """None: `toy_plane` has them."""
        return []

"""The seven published variants of discriminator-only generation, each with several seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from search_spaces.discriminator_only_scales import MAX_UPDATES, SCALES
from search_spaces.grid import GridSpace, Point
from search_spaces.published import DISCRIMINATOR_LR, IMAGE_LR, LAMBDA_STAT, VARIANTS
from search_spaces.space import Scale, Suggestion

SEEDS = {"smoke": 1, "laptop": 3, "paper": 5}


class Ablation(GridSpace):
    """[Yesilcimen 2022], table 4.1: what each term adds to the baseline."""

    name = "ablation"
    description = "the seven published variants of discriminator-only generation"
    method = "discriminator_only"
    scales: ClassVar[Mapping[str, Scale]] = {name: replace(scale, seeds=SEEDS[name]) for name, scale in SCALES.items()}
    grid: ClassVar = {"variant": tuple(VARIANTS)}

    def suggestion(self, point: Point) -> Suggestion:
        return Suggestion(
            {
                "discriminator_lr": DISCRIMINATOR_LR,
                "image_lr": IMAGE_LR,
                "max_updates": MAX_UPDATES[self.scale_name][1],
                "lambda_stat": LAMBDA_STAT,
                **VARIANTS[point["variant"]].weights,
            }
        )

    def point_name(self, point: Point) -> str:
        return f"published: {point['variant']}"

    def published(self, point: Point) -> Mapping[str, float]:
        return VARIANTS[point["variant"]].figures

"""GANs on the line: three normal distributions and two ranges of the latent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from search_spaces.claim import SEED, Claim, Success, where
from search_spaces.grid import GridSpace, Point
from search_spaces.space import Scale, Suggestion
from trainables.measures.settings import PointsSettings

LEFT, WIDE, NARROW = "line_-2_0.5", "line_3_0.5", "line_3_0.2"
DATASETS = {LEFT: "N(-2, 0.5)", WIDE: "N(3, 0.5)", NARROW: "N(3, 0.2)"}
LATENT_RANGES = (8, 10)

# The report has 11 hidden units, 1 hidden layer in G and 2 in D, and batches of 120 numbers. It tuned the rest for each
# distribution and does not give it. The loss is the one that it prefers in practice.
SETTINGS = {
    "generator": "mlp",
    "discriminator": "mlp",
    "generator_depth": 1,
    "discriminator_depth": 2,
    "generator_width": 0.22,
    "discriminator_width": 0.22,
    "batch_norm": "none",
    "latent_dim": 1,
    "batch_size": 120,
    "generator_lr": 3e-3,
    "discriminator_lr": 3e-3,
    "init_std": 0.5,
    "weight_decay": 0.0,
}
MOST = 0.5
"""More than this share of runs. `boundary` is 1 in nearly all, and the width of a run that went astray would outweigh
those of all others: means would say little."""

LAPTOP = Scale(
    LEFT,
    rounds=4000,
    evaluate_every=500,
    measures=(PointsSettings(num_samples=10_000),),
    seeds=3,
    fixed=SETTINGS,
)

SAME = 0.07
"""The energy distance that two draws of 2,000 points of a normal distribution exceed once in a hundred times."""


class ToyLine(GridSpace):
    """[Tabak 2016], section 3.1."""

    name = "toy_line"
    description = "GANs on three normal distributions of the line, two ranges of the latent"
    method = "gan"
    objectives = ("energy",)
    datasets = tuple(DATASETS)
    scales: ClassVar[Mapping[str, Scale]] = {
        "smoke": Scale(LEFT, rounds=4, evaluate_every=2, measures=(PointsSettings(num_samples=200),), fixed=SETTINGS),
        "laptop": LAPTOP,
        "paper": replace(LAPTOP, seeds=10),
    }
    grid: ClassVar = {"dataset": tuple(DATASETS), "latent_range": LATENT_RANGES}

    def suggestion(self, point: Point) -> Suggestion:
        return Suggestion({"latent_scale": float(point["latent_range"])}, point["dataset"])

    def point_name(self, point: Point) -> str:
        half = point["latent_range"]
        return f"{point['dataset']}, U(-{half}, {half})"

    def claims(self) -> list[Claim]:
        source = "[Tabak 2016], section 3.1"
        claims = []
        # The report looks at pictures, in the units of the line. In these units, an error that is the same share of the
        # deviation is smaller where the data is narrow.
        for dataset, name in DATASETS.items():
            undecided = f"On {name}, the discriminator's output is close to 1/2 over most of the data in most runs."
            different = f"On {name}, generated points can be told from the data by their energy distance."
            narrower = f"The distribution generated for {name} is narrower than the data in most runs."
            trained = where(dataset=dataset)
            claims += [
                Claim(undecided, source, "boundary", MOST, trained, success=Success(at_least=0.5)),
                Claim(different, source, "energy", SAME, trained),
                Claim(narrower, source, "spread", MOST, trained, success=Success(at_most=1.0)),
            ]
        for half in LATENT_RANGES:
            wide, narrow = (where(dataset=dataset, latent_range=half) for dataset in (WIDE, NARROW))
            text = f"From latents of U(-{half}, {half}), {DATASETS[NARROW]} is matched better than {DATASETS[WIDE]}"
            units = {"energy": "in units of each one's deviation", "energy_absolute": "in the units of the line"}
            claims += [
                Claim(f"{text}, {unit}.", source, metric, lower=narrow, higher=wide, paired_by=(SEED,))
                for metric, unit in units.items()
            ]
        return claims

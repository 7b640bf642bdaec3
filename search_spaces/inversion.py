"""Latents of given images: what a trained generator restores by a search, and how it is to be searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from search_spaces.claim import SEED, Claim, where
from search_spaces.grid import GridSpace, Point
from search_spaces.space import Scale, Suggestion
from trainables.data.tasks import TASK_NAMES
from trainables.measures.settings import RestorationSettings

MEASURED = {name: int(name.removeprefix("measured")) for name in TASK_NAMES if name.startswith("measured")}
"""The tasks of compressed sensing, and their numbers of measurements."""

TASKS: Mapping[str, tuple[str, ...]] = {
    "smoke": ("projection", "noise0.1", "hole", "measured50", "measured100", "measured500"),
    "laptop": ("projection", "noise0.1", "noise0.2", "hole", *MEASURED),
    "paper": ("projection", "noise0.1", "noise0.2", "hole", *MEASURED),
}
BOTH_LOSSES = ("noise0.1", "hole")
"""The tasks for which [Halbreich 2023] compares the losses."""

BASE: Mapping[str, Mapping[str, Any]] = {
    "smoke": {"lr": 0.1, "restarts": 2, "iterations": 20},
    "laptop": {"lr": 0.1, "restarts": 3, "iterations": 300},
    "paper": {"lr": 0.1, "restarts": 10, "iterations": 1000},
}
"""The search, unless something else is tried. The last one is that of Bora et al. 2017 for digits."""

VARIED: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "smoke": ({"start": "encoder", "restarts": 1, "iterations": 0},),
    "laptop": (
        {"start": "encoder", "restarts": 1, "iterations": 0},
        {"start": "encoder", "restarts": 1},
        {"restarts": 1},
        {"restarts": 10},
        {"iterations": 100},
        {"iterations": 1000},
        {"lr": 0.01},
        {"lr": 0.05},
        {"lr": 0.3},
    ),
    # The exercise's own search is the last one.
    "paper": (
        {"start": "encoder", "restarts": 1, "iterations": 0},
        {"start": "encoder", "restarts": 1},
        {"restarts": 1},
        {"iterations": 300},
        {"lr": 0.01},
        {"restarts": 1, "iterations": 5000, "lr": 0.05},
    ),
}
"""What else is tried on whole images, one change at a time. Without iterations, the encoder's mean alone is left."""

PRIOR_WEIGHT = 0.1
"""Of Bora et al. 2017, for digits."""

GENERATOR = {"smoke": 20, "laptop": 4000, "paper": 60_000}
"""Rounds of the autoencoder that is trained where no weights are given: 100 epochs, and fewer for tests."""


def _scale(name: str) -> Scale:
    sizes = {
        "smoke": {"num_images": 20, "num_real": 100, "kid_subsets": 3},
        "laptop": {"num_images": 64},
        "paper": {"num_images": 1000},
    }
    return Scale(
        dataset="mnist" if name == "paper" else "mnist5k",
        rounds=1,
        evaluate_every=1,
        measures=(RestorationSettings(tasks=TASKS[name], **sizes[name]),),
        seeds=1 if name == "smoke" else 3,
        fixed={"generator_rounds": GENERATOR[name], "batch_size": 64 if name == "paper" else 16},
        gpus_per_trial=0.25 if name == "paper" else 0.0,
    )


class Inversion(GridSpace):
    """[Halbreich 2023], questions 2 and 3, and compressed sensing as in Bora et al. 2017.

    All trials search the latents of one generator. `--set weights=STUDY` names it; without, the driver trains an
    autoencoder once and keeps it in the cache. The seeds of a trial differ in the starts of the search.
    """

    name = "inversion"
    description = "search of latents: projection, noise, a hole, random measurements; loss, rate, restarts, iterations"
    method = "inversion"
    objectives = ("psnr_gain",)
    scales: ClassVar[Mapping[str, Scale]] = {name: _scale(name) for name in TASKS}
    grid: ClassVar = {
        "task": TASK_NAMES,
        "loss": ("l2", "l1"),
        "start": ("prior", "encoder"),
        "lr": (0.01, 0.05, 0.1, 0.3),
        "restarts": (1, 2, 3, 10),
        "iterations": (0, 20, 100, 300, 1000, 5000),
    }

    def points(self) -> list[dict[str, Any]]:
        tasks = TASKS[self.scale_name]
        base = {"loss": "l2", "start": "prior", **BASE[self.scale_name]}
        changes: list[Mapping[str, Any]] = [
            *({"task": task} for task in tasks),
            *({"task": task, "loss": "l1"} for task in BOTH_LOSSES),
            *({"task": "projection", **varied} for varied in VARIED[self.scale_name]),
        ]
        return [{name: {**base, **change}[name] for name in self.grid} for change in changes]

    def suggestion(self, point: Point) -> Suggestion:
        return Suggestion({**point, **_prior(point["task"])})

    def point_name(self, point: Point) -> str:
        if point["iterations"] == 0:
            return f"{point['task']}, the encoder's mean"
        start = " from the encoder's mean" if point["start"] == "encoder" else f" from {point['restarts']} starts"
        return f"{point['task']}, {point['loss']}, {point['iterations']} iterations at {point['lr']}{start}"

    def claims(self) -> list[Claim]:
        """`psnr_gain` is what a search has more than the best classical method of its task, in dB."""
        exercise, bora = "[Halbreich 2023], question 3", "Bora et al. 2017, arXiv:1703.03208, abstract"
        searches = {"loss": "l2", **BASE[self.scale_name]}
        return [
            Claim(
                "A search of latents brings an image with noise of deviation 0.1 nearer to the original.",
                exercise,
                "psnr_over_degraded",
                lower=0.0,
                higher=where(task="noise0.1", loss="l2"),
            ),
            Claim(
                "To fill a hole, the absolute error is better than the squared one.",
                exercise,
                "psnr_in_hole",
                lower=where(task="hole", loss="l2"),
                higher=where(task="hole", loss="l1"),
                paired_by=(SEED,),
            ),
            Claim(
                "To take noise off, the squared error is better than the absolute one.",
                exercise,
                "psnr_gain",
                lower=where(task="noise0.1", loss="l1"),
                higher=where(task="noise0.1", loss="l2"),
                paired_by=(SEED,),
            ),
            *(
                Claim(
                    f"From {number} measurements, a search of latents is better than the Lasso.",
                    bora,
                    "psnr_gain",
                    lower=0.0,
                    higher=where(task=f"measured{number}", **searches),
                )
                for number in (50, 100)
            ),
            Claim(
                "From 500 measurements, the Lasso is better than a search of latents.",
                "Bora et al. 2017, arXiv:1703.03208, the limit of the generator's range",
                "psnr_gain",
                lower=where(task="measured500", **searches),
                higher=0.0,
            ),
        ]


def _prior(task: str) -> Mapping[str, float]:
    """The prior's weight of Bora et al. 2017 for measurements; elsewhere, as in the exercise, there is none.

    Their loss is a sum, of measurements with weights `N(0, 1)` of pixels in [0, 1]. Here it is a mean, of measurements
    with weights `N(0, 1/m)` of pixels in [-1, 1].
    """
    return {"prior_weight": 4 * PRIOR_WEIGHT / MEASURED[task] ** 2} if task in MEASURED else {}


IMAGES: Mapping[str, Mapping[str, str]] = {
    "smoke": {"digits": "mnist5k", "faces": "photo_patches"},
    "laptop": {"digits": "mnist5k", "faces": "photo_patches"},
    "paper": {"digits": "mnist", "faces": "celeba64"},
}


class InversionFaces(GridSpace):
    """[Halbreich 2023], questions 2 and 3: digits against faces.

    The small scales have photographs of other things, since CelebA has to be downloaded.
    """

    name = "inversion_faces"
    description = "search of latents on digits and on faces, by both losses"
    method = "inversion"
    objectives = ("psnr_gain",)
    scales: ClassVar[Mapping[str, Scale]] = {
        name: replace(scale, measures=(scale.measures[0].model_copy(update={"tasks": ("projection", "hole")}),))
        for name, scale in Inversion.scales.items()
    }
    grid: ClassVar = {"images": ("digits", "faces"), "task": ("projection", "hole"), "loss": ("l2", "l1")}

    def __init__(self, scale_name: str, scale: Scale | None = None) -> None:
        super().__init__(scale_name, scale)
        self.datasets = tuple(IMAGES[scale_name].values())

    def suggestion(self, point: Point) -> Suggestion:
        settings = {"task": point["task"], "loss": point["loss"], **BASE[self.scale_name]}
        return Suggestion(settings, dataset=IMAGES[self.scale_name][point["images"]])

    def claims(self) -> list[Claim]:
        return [
            Claim(
                "Digits are inverted better than faces: they gain more over the nearest training image.",
                "[Halbreich 2023], question 2",
                "psnr_gain",
                lower=where(images="faces", task="projection"),
                higher=where(images="digits", task="projection"),
                paired_by=("loss", SEED),
            )
        ]

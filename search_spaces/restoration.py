"""Restoration of degraded images: by a generator with and without a discriminator, and by a discriminator alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from search_spaces.claim import SEED, Claim, where
from search_spaces.grid import GridSpace, Point
from search_spaces.space import Epochs, Scale, Suggestion
from trainables.measures.settings import RestorationSettings

L1, ADVERSARIAL, ALONE = "L1", "L1 and adversarial", "discriminator alone"

ADVERSARIAL_WEIGHT = 0.1
"""Of srez, the code that [Kitov]'s source started from; the rest is the weight of L1."""

TASKS = ("x2", "noise0.1", "blur")

CLOSE = 1.0
"""[Kitov] calls signal-to-noise ratios "comparable". Reading: they differ by less than 1 dB, which one hardly sees."""

GENERATOR: Mapping[str, Mapping[str, Any]] = {
    "smoke": {"generator_width": 4, "discriminator_width": 2, "batch_size": 16},
    "laptop": {"generator_width": 16, "batch_size": 32, "decay_rounds": 200},
    "paper": {"generator_width": 64, "batch_size": 64, "decay_rounds": 20_000},
}
"""Settings of `restoration_gan`, by scale."""

SMALL_DISCRIMINATOR = {
    "width": 1 / 8,
    "batch_size": 32,
    "initial_epochs": 1,
    "image_lr": 0.2,
    "max_updates": 20,
    "fakes": "just_made",
    "start": "earlier",
    "earlier_share": 0.98,
    "lambda_stat": 0.1,
    "lambda_tv": 10.0,
    "lambda_ce": 0.0,
    "discriminator_lr": 4e-3,
    "discriminator_updates": 2,
    "lambda_gnorm": 0.1,
}
"""Settings of `discriminator_only` that generate digits in minutes (docs/results.md)."""

DATA_WEIGHT = {"x2": 3.0, "noise0.1": 0.03, "blur": 1.0}
"""Of the squared error between the restored image, degraded again, and the input: found by hand on training images of
`mnist5k`. With noise it must be small: what is exactly like the input is as noisy."""

PACE = 0.5
"""Rounds of the discriminator alone for each round of a generator, which costs a third of it."""

DISCRIMINATOR: Mapping[str, Mapping[str, Any]] = {
    "smoke": SMALL_DISCRIMINATOR | {"width": 1 / 64, "batch_size": 16, "max_updates": 2, "restore_updates": 5},
    "laptop": SMALL_DISCRIMINATOR,
    "paper": {"lambda_ce": 0.0},
}


class Restoration(GridSpace):
    """[Kitov], application use-case: what an adversarial loss is good for in restoration.

    The third model is ours: no document measured what the weights that generate and score restore.
    """

    name = "restoration"
    description = "super-resolution, denoising, deblurring: L1, adversarial loss, discriminator alone"
    methods = ("restoration_gan", "discriminator_only_restoration")
    objectives = ("psnr_gain_best", "fid_best")
    grid: ClassVar[Mapping[str, Sequence[str]]] = {"task": TASKS, "model": (L1, ADVERSARIAL, ALONE)}
    scales: ClassVar[Mapping[str, Scale]] = {
        "smoke": Scale(
            dataset="mnist5k",
            rounds=4,
            evaluate_every=2,
            measures=(RestorationSettings(tasks=TASKS, num_images=20, num_real=100, kid_subsets=3),),
        ),
        "laptop": Scale(
            dataset="mnist5k",
            rounds=200,
            evaluate_every=100,
            measures=(RestorationSettings(tasks=TASKS),),
            seeds=2,
        ),
        "paper": Scale(
            dataset="celeba64",
            rounds=Epochs(20),
            evaluate_every=Epochs(1),
            measures=(RestorationSettings(tasks=TASKS, num_images=1000, features="efficientnet"),),
            seeds=3,
            gpus_per_trial=1.0,
        ),
    }

    def suggestion(self, point: Point) -> Suggestion:
        task, model = point["task"], point["model"]
        if model == ALONE:
            settings = {"task": task, "lambda_data": DATA_WEIGHT[task], **DISCRIMINATOR[self.scale_name]}
            pace = PACE if self.scale_name == "laptop" else 1.0
            return Suggestion(settings, method="discriminator_only_restoration", pace=pace)
        weight = ADVERSARIAL_WEIGHT if model == ADVERSARIAL else 0.0
        settings = {"task": task, "adversarial_weight": weight, **GENERATOR[self.scale_name]}
        return Suggestion(settings, method="restoration_gan")

    def claims(self) -> list[Claim]:
        """`psnr_gain` is what a model has more than the best classical method of its task, in dB."""
        source = "[Kitov], application use-case"
        both = ("task", SEED)
        return [
            Claim(
                "In super-resolution, bicubic interpolation has a higher PSNR than the GAN.",
                source,
                "psnr_gain_best",
                lower=where(task="x2", model=ADVERSARIAL),
                higher=0.0,
            ),
            Claim(
                "In denoising, the PSNR of the GAN and of the best classical method are comparable: they differ by "
                "less than 1 dB.",
                source,
                "psnr_gain_best",
                lower=where(task="noise0.1", model=ADVERSARIAL),
                higher=0.0,
                margin=CLOSE,
            ),
            Claim(
                "In deblurring, the PSNR of the GAN is lower than that of the classical methods.",
                source,
                "psnr_gain_best",
                lower=where(task="blur", model=ADVERSARIAL),
                higher=0.0,
            ),
            Claim(
                "With the adversarial loss, restored images are sharper than with L1 alone.",
                source,
                "sharpness_at_best",
                lower=where(model=L1),
                higher=where(model=ADVERSARIAL),
                paired_by=both,
            ),
            Claim(
                "With the adversarial loss, restored images have a lower PSNR than with L1 alone.",
                source,
                "psnr_gain_best",
                lower=where(model=ADVERSARIAL),
                higher=where(model=L1),
                paired_by=both,
            ),
            Claim(
                "With the adversarial loss, restored images are more like real ones than with L1 alone.",
                source,
                "fid_at_best",
                lower=where(model=ADVERSARIAL),
                higher=where(model=L1),
                paired_by=both,
            ),
        ]

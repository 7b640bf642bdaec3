"""DCGANs on faces of 64x64 pixels: which loss, with three updates of the discriminator for one of the generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from search_spaces import published_gan as published
from search_spaces.claim import SEED, Claim, where
from search_spaces.gan_scales import RATES, SCALES, SMALL, measures
from search_spaces.grid import GridSpace, Point
from search_spaces.image_measures import BESIDE_CLASSIFIER
from search_spaces.space import Epochs, Scale, Suggestion
from search_spaces.step_ratio import CLOSE

D_STEPS = 3
"""The exercise shows faces at this ratio alone."""

FIXED = {**published.DCGAN, "d_steps": D_STEPS}


class Faces(GridSpace):
    """[Halbreich 2023], question 1, on CelebA.

    The small scales have photographs of other things, since CelebA has to be downloaded. They run on faces where
    `--dataset celeba64` is said; `CELEBA_DIR` may name a folder with a few of them.
    """

    name = "faces"
    description = "DCGAN of 64x64 pixels on CelebA: saturating, non-saturating or least squares loss"
    method = "gan"
    scales: ClassVar[Mapping[str, Scale]] = {
        "smoke": replace(
            SCALES["smoke"],
            dataset="photo_patches",
            measures=measures(32),
            fixed=FIXED | {"generator_width": 1 / 64, "discriminator_width": 1 / 64, "batch_size": 16},
        ),
        "laptop": replace(
            SCALES["laptop"],
            dataset="photo_patches",
            rounds=300,
            evaluate_every=100,
            measures=measures(256, beside=(BESIDE_CLASSIFIER,)),
            seeds=3,
            fixed=FIXED | SMALL | {"batch_size": 32},
        ),
        "paper": replace(
            SCALES["paper"],
            dataset="celeba64",
            rounds=Epochs(published.DCGAN_EPOCHS),
            evaluate_every=Epochs(1),
            seeds=3,
            fixed=FIXED,
        ),
    }
    grid: ClassVar = {"loss": published.DCGAN_LOSSES}

    def suggestion(self, point: Point) -> Suggestion:
        rate = RATES[self.scale_name]
        return Suggestion({"loss": point["loss"], "generator_lr": rate, "discriminator_lr": rate})

    def claims(self) -> list[Claim]:
        source = "[Halbreich 2023], question 1, CelebA"
        saturating, non_saturating, l2 = (where(loss=loss) for loss in published.DCGAN_LOSSES)
        return [
            Claim(
                "The non-saturating loss gives better faces than the saturating loss.",
                source,
                "fid_best",
                lower=non_saturating,
                higher=saturating,
                paired_by=(SEED,),
            ),
            Claim(
                "The non-saturating loss gives better faces than least squares.",
                source,
                "fid_best",
                lower=non_saturating,
                higher=l2,
                paired_by=(SEED,),
            ),
            Claim(
                "Least squares give about as good faces as the non-saturating loss: their Frechet distances differ by "
                "less than a factor of 2.",
                source,
                "fid_best",
                lower=non_saturating,
                higher=l2,
                margin=CLOSE,
                compared_by="ratio",
            ),
            Claim(
                "With the saturating loss, the discriminator's loss falls further, to 0, than with the non-saturating "
                "loss on faces.",
                source,
                "loss_discriminator",
                lower=saturating,
                higher=non_saturating,
                paired_by=(SEED,),
            ),
        ]

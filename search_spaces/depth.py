"""How many residual blocks, with BatchNorm in the discriminator or without, at which learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search_spaces import published_gan as published
from search_spaces.claim import Claim, where
from search_spaces.gan_scales import COMPARED, MAX_DEPTH, RATE_RANGE, RATES
from search_spaces.space import FirstTrial, SearchSpace, Suggestion

if TYPE_CHECKING:
    from optuna.trial import BaseTrial


class Depth(SearchSpace):
    """[Yamazaki 2017], section 5.2: what residual blocks are good for. Both networks have the same depth and rate."""

    name = "depth"
    description = "residual GANs: number of blocks, BatchNorm in D or not, learning rate"
    method = "gan"
    scales = COMPARED

    def suggest(self, trial: BaseTrial) -> Suggestion:
        depth = trial.suggest_int("depth", 0, MAX_DEPTH)
        rate = trial.suggest_float("learning_rate", *RATE_RANGE, log=True)
        return Suggestion(
            {
                "generator_depth": depth,
                "discriminator_depth": depth,
                "batch_norm": trial.suggest_categorical("batch_norm", published.BATCH_NORM),
                "generator_lr": rate,
                "discriminator_lr": rate,
            }
        )

    def first_trials(self) -> list[FirstTrial]:
        """The plain network and the published best one, with BatchNorm in both networks and in G alone."""
        return [
            FirstTrial(
                f"M{depth}_B, BatchNorm in {place}",
                {"depth": depth, "learning_rate": RATES[self.scale_name], "batch_norm": place},
                {"is_lenet_best": published.MNIST_SCORES[place][depth]},
            )
            for depth in (0, 3)
            for place in published.BATCH_NORM
        ]

    def claims(self) -> list[Claim]:
        """About the first trials, which have one rate. `table51` has all depths."""
        source = "[Yamazaki 2017], section 5.2"
        rate = RATES[self.scale_name]
        return [
            Claim(
                "With three residual blocks, images are better than with none.",
                source,
                "fid_best",
                lower=where(depth=3, batch_norm="both", learning_rate=rate),
                higher=where(depth=0, batch_norm="both", learning_rate=rate),
            ),
            Claim(
                "Digits get worse without BatchNorm in the discriminator, with three residual blocks or none.",
                source,
                "fid_best",
                lower=where(batch_norm="both", learning_rate=rate),
                higher=where(batch_norm="generator", learning_rate=rate),
            ),
        ]

"""Generators and discriminators of unequal depth, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from search_spaces.claim import Claim
from search_spaces.gan_scales import MAX_DEPTH, RATE_RANGE, RATES, SCALES
from search_spaces.space import FirstTrial, SearchSpace, Suggestion

if TYPE_CHECKING:
    from optuna.trial import BaseTrial


class Balance(SearchSpace):
    """[Yamazaki 2017], appendix C: which of the two may be stronger. Done there for points, here for images."""

    name = "balance"
    description = "residual GANs: depth of the generator against depth of the discriminator, learning rate"
    method = "gan"
    scales = SCALES

    def suggest(self, trial: BaseTrial) -> Suggestion:
        rate = trial.suggest_float("learning_rate", *RATE_RANGE, log=True)
        return Suggestion(
            {
                "generator_depth": trial.suggest_int("generator_depth", 0, MAX_DEPTH),
                "discriminator_depth": trial.suggest_int("discriminator_depth", 0, MAX_DEPTH),
                "generator_lr": rate,
                "discriminator_lr": rate,
            }
        )

    def first_trials(self) -> list[FirstTrial]:
        """The plain and the deepest network against themselves and each other."""
        return [
            FirstTrial(
                f"generator of M{g}_B, discriminator of M{d}_B",
                {"learning_rate": RATES[self.scale_name], "generator_depth": g, "discriminator_depth": d},
            )
            for g, d in ((0, MAX_DEPTH), (MAX_DEPTH, 0), (0, 0), (MAX_DEPTH, MAX_DEPTH))
        ]

    def claims(self) -> list[Claim]:
        source = "[Yamazaki 2017], appendix C"
        return [
            Claim(
                "Images are better with a generator deeper than its discriminator than the other way round.",
                source,
                "fid_best",
                lower=lambda params: _lead(params) > 0,
                higher=lambda params: _lead(params) < 0,
            ),
            Claim(
                "A discriminator deeper than its generator rejects generated images with more confidence than others.",
                source,
                "output_generated",
                lower=lambda params: _lead(params) < 0,
                higher=lambda params: _lead(params) >= 0,
            ),
        ]


def _lead(params: Mapping[str, Any]) -> int:
    """By how many blocks the generator is deeper."""
    return params["generator_depth"] - params["discriminator_depth"]

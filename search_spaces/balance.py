"""Generators and discriminators of unequal depth, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.trial import BaseTrial

from search_spaces import depth
from search_spaces.space import Claim, FirstTrial, SearchSpace


class Balance(SearchSpace):
    """Thesis of 2017, appendix C: which of the two may be stronger. Done there for points, here for images."""

    name = "balance"
    description = "residual GANs: depth of the generator against depth of the discriminator, learning rate"
    method = "gan"
    scales = depth.SCALES

    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        rate = trial.suggest_float("learning_rate", *depth.RATE_RANGE, log=True)
        return {
            "generator_depth": trial.suggest_int("generator_depth", 0, depth.MAX_DEPTH),
            "discriminator_depth": trial.suggest_int("discriminator_depth", 0, depth.MAX_DEPTH),
            "generator_lr": rate,
            "discriminator_lr": rate,
        }

    def first_trials(self) -> list[FirstTrial]:
        """The plain and the deepest network against themselves and each other."""
        rate, deep = depth.RATES[self.scale_name], depth.MAX_DEPTH
        return [
            FirstTrial(
                f"generator of M{g}_B, discriminator of M{d}_B",
                {"learning_rate": rate, "generator_depth": g, "discriminator_depth": d},
            )
            for g, d in ((0, deep), (deep, 0), (0, 0), (deep, deep))
        ]

    def claims(self) -> list[Claim]:
        source = "thesis of 2017, appendix C"
        return [
            Claim(
                "A generator may be stronger than its discriminator, a discriminator not than its generator.",
                source,
                "fid_lenet_best",
                lower=lambda params: _lead(params) > 0,
                higher=lambda params: _lead(params) < 0,
            ),
            Claim(
                "A stronger discriminator rejects what is generated with near perfect confidence.",
                source,
                "output_generated",
                lower=lambda params: _lead(params) < 0,
                higher=lambda params: _lead(params) >= 0,
            ),
        ]


def _lead(params: Mapping[str, Any]) -> int:
    """By how many blocks the generator is deeper."""
    return params["generator_depth"] - params["discriminator_depth"]

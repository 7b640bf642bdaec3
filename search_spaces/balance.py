"""Generators and discriminators of unequal depth, in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search_spaces.claim import Claim, where
from search_spaces.gan_scales import COMPARED, MAX_DEPTH, RATE_RANGE, RATES
from search_spaces.space import FirstTrial, SearchSpace, Suggestion

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

PAIRS = ((0, MAX_DEPTH), (MAX_DEPTH, 0), (0, 0), (MAX_DEPTH, MAX_DEPTH))
"""Depths of generator and discriminator: a strong discriminator, a strong generator, both plain, both deep."""


class Balance(SearchSpace):
    """[Yamazaki 2017], appendix C: which of the two networks may be stronger; there for points, here for images."""

    name = "balance"
    description = "residual GANs: depth of the generator against depth of the discriminator, learning rate"
    method = "gan"
    scales = COMPARED

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
        """The plain and the deepest networks, in all four pairs."""
        return [
            FirstTrial(
                f"generator of M{g}_B, discriminator of M{d}_B",
                self._pair(g, d),
            )
            for g, d in PAIRS
        ]

    def claims(self) -> list[Claim]:
        """About the first trials, which have one rate."""
        source = "[Yamazaki 2017], appendix C"
        strong_d, strong_g, plain, _ = (where(**self._pair(g, d)) for g, d in PAIRS)
        swing = "loss_generator_swing_overall"
        return [
            Claim(
                "With a deep generator and a plain discriminator, the generator's loss oscillates less than the other "
                "way round.",
                source,
                swing,
                lower=strong_g,
                higher=strong_d,
            ),
            Claim(
                "The loss of a plain generator is higher against a deep discriminator than against a plain one.",
                source,
                "loss_generator",
                lower=plain,
                higher=strong_d,
            ),
            Claim(
                "A deep discriminator rejects the images of a plain generator more surely than a plain one does.",
                source,
                "output_generated",
                lower=strong_d,
                higher=plain,
            ),
        ]

    def _pair(self, g: int, d: int) -> dict[str, float]:
        return {"learning_rate": RATES[self.scale_name], "generator_depth": g, "discriminator_depth": d}

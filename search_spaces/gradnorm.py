"""The main space: loss weights, rates and updates of discriminator-only generation, by either of two algorithms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from search_spaces import published
from search_spaces.discriminator_only_scales import MAX_UPDATES, SCALES
from search_spaces.space import FirstTrial, Scale, SearchSpace, Suggestion, off, weight_or_off

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

Range = tuple[float, float]

WEIGHTS: Mapping[str, Range] = {
    "lambda_stat": (1e-2, 1e2),
    "lambda_tv": (1e-4, 1e2),
    "lambda_gnorm": (1e-2, 1e2),
    "lambda_ce": (1e-5, 1e-2),
}
"""The loss weights, from the smallest that is not off to the largest."""

RATES: Mapping[str, Range] = {"discriminator_lr": (1e-4, 2e-2), "image_lr": (1e-2, 0.3)}

# In a few hundred rounds nothing is learned with the published rates, which are for 18,760, and images of 28 pixels
# a side stay noise with a total variation that is as weak as the published one.
LAPTOP_WEIGHTS: Mapping[str, Range] = {
    "lambda_stat": (1e-2, 1e0),
    "lambda_tv": (1e-1, 1e2),
    "lambda_gnorm": (1e-2, 1e0),
    "lambda_ce": (1e-5, 1e-2),
}
LAPTOP_RATES: Mapping[str, Range] = {"discriminator_lr": (2e-3, 1e-2), "image_lr": (0.1, 0.5)}

NOISE_SHARES = (0.01, 0.1)
"""The shares of a batch that may start from noise, where the others start from earlier images."""

DISCRIMINATOR_UPDATES = (1, 2)
"""The updates of the discriminator that a round may have."""

PUBLISHED, ENERGY_BASED = "published", "energy_based"

AS_PUBLISHED: Mapping[str, Any] = {
    "fakes": "pool",
    "start": "noise",
    "clip_images": False,
    "discriminator_updates": 1,
}
"""The choices of the document, which has no others."""

AS_ENERGY_BASED: Mapping[str, Any] = {"fakes": "just_made", "start": "earlier", "clip_images": True}
"""The choices with which energy-based models are trained since Du and Mordatch 2019."""


class GradNorm(SearchSpace):
    """[Yesilcimen 2022], section 4.2.4: which weights, rates and limit give the lowest Frechet distance.

    One choice is between two algorithms: the document's, and the usual one of energy-based models, where the
    discriminator's fakes are the images just made, generation starts from earlier images and keeps them in the range
    of the data. The space `beyond` makes each of these choices by itself.
    """

    name = "gradnorm"
    description = "discriminator-only generation: loss weights, learning rates, updates, as published or energy-based"
    method = "discriminator_only"
    scales: ClassVar[Mapping[str, Scale]] = SCALES

    def __init__(self, scale_name: str, scale: Scale | None = None) -> None:
        super().__init__(scale_name, scale)
        self.max_updates = MAX_UPDATES[scale_name]
        is_laptop = scale_name == "laptop"
        self.weights = LAPTOP_WEIGHTS if is_laptop else WEIGHTS
        self.rates = LAPTOP_RATES if is_laptop else RATES

    def suggest(self, trial: BaseTrial) -> Suggestion:
        return Suggestion(
            {
                **{name: trial.suggest_float(name, low, high, log=True) for name, (low, high) in self.rates.items()},
                "max_updates": trial.suggest_int("max_updates", *self.max_updates, log=True),
                **{name: weight_or_off(trial, name, low, high) for name, (low, high) in self.weights.items()},
                **self.choices(trial),
            }
        )

    def choices(self, trial: BaseTrial) -> Mapping[str, Any]:
        """Where fakes and starts come from, whether images are clipped, and the discriminator's updates a round."""
        if trial.suggest_categorical("algorithm", (PUBLISHED, ENERGY_BASED)) == PUBLISHED:
            return AS_PUBLISHED
        return {
            **AS_ENERGY_BASED,
            **earlier_share(trial),
            "discriminator_updates": trial.suggest_int("discriminator_updates", *DISCRIMINATOR_UPDATES),
        }

    def first_trials(self) -> list[FirstTrial]:
        """The published settings (all terms, the gradient norm alone, the baseline), and what is usual elsewhere."""
        return [*(self._published(name) for name in ("all", "gnorm", "baseline")), self._usual()]

    def _usual(self) -> FirstTrial:
        """The algorithm of energy-based models, with the middle of every range: nothing of it was tuned."""
        ranges = {**self.rates, **self.weights, "max_updates": self.max_updates, "noise_share": NOISE_SHARES}
        params: dict[str, Any] = {name: math.sqrt(low * high) for name, (low, high) in ranges.items()}
        params |= {
            "max_updates": round(params["max_updates"]),
            "discriminator_updates": sum(DISCRIMINATOR_UPDATES) // 2,
        }
        return FirstTrial("energy-based, middle of the ranges", {"algorithm": ENERGY_BASED, **params})

    def _published(self, name: str) -> FirstTrial:
        variant = published.VARIANTS[name]
        weights = {"lambda_stat": published.LAMBDA_STAT, **variant.weights()}
        params = {
            **published.RATES,
            "algorithm": PUBLISHED,
            "max_updates": self.max_updates[1],
            **{name: weight or off(self.weights[name][0]) for name, weight in weights.items()},
        }
        return FirstTrial(f"published: {name}", params, variant.figures)


def earlier_share(trial: BaseTrial) -> dict[str, float]:
    """The share of a batch that starts from earlier images."""
    return {"earlier_share": 1 - trial.suggest_float("noise_share", *NOISE_SHARES, log=True)}

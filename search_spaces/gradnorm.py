"""The main space: loss weights, rates and updates of discriminator-only generation, and three of its choices."""

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
    "lambda_stat": (1e-2, 1e1),
    "lambda_tv": (1e-1, 1e2),
    "lambda_gnorm": (1e-2, 1e1),
    "lambda_ce": (1e-5, 1e-2),
}
LAPTOP_RATES: Mapping[str, Range] = {"discriminator_lr": (2e-3, 2e-2), "image_lr": (5e-2, 0.5)}

NOISE_SHARES = (0.01, 0.1)
"""The shares of a batch that may start from noise, where the others start from earlier images."""

AS_PUBLISHED = {"fakes": "pool", "start": "noise", "clip_images": False, "discriminator_updates": 1}
"""The choices of the document, which has no others."""

USUAL = {"fakes": "just_made", "start": "earlier", "clip_images": True, "discriminator_updates": 1}
"""The choices with which energy-based models are trained since Du and Mordatch 2019."""


class GradNorm(SearchSpace):
    """[Yesilcimen 2022], section 4.2.4: which weights, rates and limit give the lowest Frechet distance.

    Three choices of energy-based models are searched, too: whether the discriminator's fakes are the images just made
    instead of a pool's best-scored ones, whether generation starts from earlier images instead of noise, and whether
    images are kept in the range of the data.
    """

    name = "gradnorm"
    description = (
        "discriminator-only generation: loss weights, learning rates, updates, where fakes and starts are from"
    )
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
                "fakes": trial.suggest_categorical("fakes", ("pool", "just_made")),
                **_start(trial),
                "clip_images": trial.suggest_categorical("clip_images", (False, True)),
                "discriminator_updates": trial.suggest_int("discriminator_updates", 1, 2),
            }
        )

    def first_trials(self) -> list[FirstTrial]:
        """The published settings (all terms, the gradient norm alone, the baseline), and what is usual elsewhere."""
        return [*(self._published(name) for name in ("all", "gnorm", "baseline")), self._usual()]

    def _usual(self) -> FirstTrial:
        """The choices of energy-based models, with the middle of every range: nothing of it was tuned."""
        ranges = {**self.rates, **self.weights, "max_updates": self.max_updates, "noise_share": NOISE_SHARES}
        params: dict[str, Any] = {name: math.sqrt(low * high) for name, (low, high) in ranges.items()}
        params["max_updates"] = round(params["max_updates"])
        return FirstTrial("usual choices, middle of the ranges", {**USUAL, **params})

    def _published(self, name: str) -> FirstTrial:
        variant = published.VARIANTS[name]
        weights = {"lambda_stat": published.LAMBDA_STAT, **variant.weights()}
        params = {
            **published.RATES,
            **AS_PUBLISHED,
            "max_updates": self.max_updates[1],
            **{name: weight or off(self.weights[name][0]) for name, weight in weights.items()},
        }
        return FirstTrial(f"published: {name}", params, variant.figures)


def _start(trial: BaseTrial) -> dict[str, Any]:
    """Where generation starts."""
    start = trial.suggest_categorical("start", ("noise", "earlier"))
    if start == "noise":
        return {"start": start}
    return {"start": start, "earlier_share": 1 - trial.suggest_float("noise_share", *NOISE_SHARES, log=True)}

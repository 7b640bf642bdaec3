"""The main space: loss weights, learning rates and update limit of discriminator-only generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search_spaces import published
from search_spaces.discriminator_only_scales import FEW_ROUNDS, MAX_UPDATES, SCALES
from search_spaces.space import FirstTrial, Scale, SearchSpace, Suggestion, off, weight_or_off

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

WEIGHTS = {
    "lambda_stat": (1e-1, 1e2),
    "lambda_tv": (1e-4, 1e-1),
    "lambda_gnorm": (1e-2, 1e2),
    "lambda_ce": (1e-5, 1e-2),
}
"""The loss weights, from the smallest that is not off to the largest."""

# The sampler starts from these, instead of spending half of a short study on rates that are too low.
START: dict[str, list[FirstTrial]] = {
    "smoke": [],
    "laptop": [
        FirstTrial(
            "by hand, for few rounds",
            {
                **FEW_ROUNDS,
                "lambda_tv": off(WEIGHTS["lambda_tv"][0]),
                "lambda_gnorm": 0.1,
                "lambda_ce": off(WEIGHTS["lambda_ce"][0]),
            },
        )
    ],
    "paper": [],
}


class GradNorm(SearchSpace):
    """[Yesilcimen 2022], section 4.2.4: which weights, rates and limit give the lowest Frechet distance."""

    name = "gradnorm"
    description = "discriminator-only generation: loss weights, learning rates, update limit"
    method = "discriminator_only"
    scales = SCALES

    def __init__(self, scale_name: str, scale: Scale | None = None) -> None:
        super().__init__(scale_name, scale)
        self.max_updates = MAX_UPDATES[scale_name]

    def suggest(self, trial: BaseTrial) -> Suggestion:
        return Suggestion(
            {
                "discriminator_lr": trial.suggest_float("discriminator_lr", 1e-4, 2e-2, log=True),
                "image_lr": trial.suggest_float("image_lr", 1e-2, 0.3, log=True),
                "max_updates": trial.suggest_int("max_updates", *self.max_updates, log=True),
                **{name: weight_or_off(trial, name, low, high) for name, (low, high) in WEIGHTS.items()},
            }
        )

    def first_trials(self) -> list[FirstTrial]:
        """The published settings (all terms, the gradient norm alone, the baseline); then what fits this scale."""
        return [self._published(name) for name in ("all", "gnorm", "baseline")] + START[self.scale_name]

    def _published(self, name: str) -> FirstTrial:
        variant = published.VARIANTS[name]
        weights = {"lambda_stat": published.LAMBDA_STAT, **variant.weights()}
        params = {
            **published.RATES,
            "max_updates": self.max_updates[1],
            **{name: weight or off(WEIGHTS[name][0]) for name, weight in weights.items()},
        }
        return FirstTrial(f"published: {name}", params, variant.figures)

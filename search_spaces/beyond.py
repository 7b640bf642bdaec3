"""Everything that can be set about discriminator-only generation, searched at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from search_spaces.discriminator_only_scales import SCALES
from search_spaces.gradnorm import (
    AS_ENERGY_BASED,
    AS_PUBLISHED,
    DISCRIMINATOR_UPDATES,
    PUBLISHED,
    GradNorm,
    earlier_share,
)
from search_spaces.space import FirstTrial, Scale, Suggestion, off, weight_or_off

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

WIDTHS = {"smoke": (1 / 128, 1 / 64), "laptop": (1 / 16, 1 / 8), "paper": (1 / 4, 1.0)}
NETWORKS = {"smoke": (1 / 64, 32), "laptop": (1 / 8, 32), "paper": (1.0, 128)}
"""The width and the batch of the published settings, smaller where the scale is."""

BATCH_SIZES = {"smoke": (16, 32), "laptop": (16, 32, 64), "paper": (32, 64, 128, 256)}

NOISE = (1e-3, 1e-1)
"""The deviations of noise, from the smallest that is not off."""
FORGETTING = (1e-3, 1e-1)
"""What an averaged discriminator forgets at an update: 1 - ema_decay."""

LAPTOP = replace(SCALES["laptop"], trials=60)
# Batches differ, so that an epoch is no common budget: as many rounds as 40 epochs of MNIST with the published batch.
PAPER = replace(SCALES["paper"], rounds=18_760, evaluate_every=469, trials=300)


class Beyond(GradNorm):
    """[Yesilcimen 2022] with all choices of energy-based models that the method knows; see its settings for sources."""

    name = "beyond"
    description = "discriminator-only generation: everything that can be set"
    scales: ClassVar[Mapping[str, Scale]] = {
        name: replace(scale, fixed={"pool_slack": 0.25})
        for name, scale in {**SCALES, "laptop": LAPTOP, "paper": PAPER}.items()
    }

    def suggest(self, trial: BaseTrial) -> Suggestion:
        chosen = dict(super().suggest(trial).config)
        chosen |= {
            "width": trial.suggest_float("width", *WIDTHS[self.scale_name], log=True),
            "batch_size": trial.suggest_categorical("batch_size", BATCH_SIZES[self.scale_name]),
            "initial_epochs": trial.suggest_int("initial_epochs", 0, 10),
            "spectral_norm": trial.suggest_categorical("spectral_norm", (False, True)),
            "gradient_penalty": trial.suggest_categorical("gradient_penalty", ("norm", "r1")),
            "update_noise": weight_or_off(trial, "update_noise", *NOISE),
            "decay_rounds": self.scale.rounds if trial.suggest_categorical("decay", (False, True)) else 0,
            "ema_decay": 1 - forgets if (forgets := weight_or_off(trial, "ema_forgets", *FORGETTING)) else 0.0,
        }
        if chosen["fakes"] == "pool":
            chosen |= _pool(trial)
        if chosen["start"] == "earlier":
            chosen["buffer_size"] = trial.suggest_int("buffer_size", 256, 8192, log=True)
            chosen["earlier_noise"] = weight_or_off(trial, "earlier_noise", *NOISE)
        return Suggestion(chosen)

    def choices(self, trial: BaseTrial) -> Mapping[str, Any]:
        """As in `gradnorm`, but each choice by itself."""
        start = trial.suggest_categorical("start", ("noise", "earlier"))
        return {
            "fakes": trial.suggest_categorical("fakes", ("pool", "just_made")),
            "start": start,
            **(earlier_share(trial) if start == "earlier" else {}),
            "clip_images": trial.suggest_categorical("clip_images", (False, True)),
            "discriminator_updates": trial.suggest_int("discriminator_updates", *DISCRIMINATOR_UPDATES),
        }

    def first_trials(self) -> list[FirstTrial]:
        """Those of `gradnorm`; the published ones have a width and a batch of their own at the paper scale alone."""
        return [self._with_everything(first) for first in super().first_trials()]

    def _with_everything(self, first: FirstTrial) -> FirstTrial:
        """A first trial of `gradnorm`, with all parameters of this space."""
        params = _each_by_itself(first.params)
        return replace(first, params={**params, **self._rest_as_published(), **_conditional(params)})

    def _rest_as_published(self) -> dict[str, Any]:
        off_weights = {"update_noise": off(NOISE[0]), "ema_forgets": off(FORGETTING[0])}
        switches = {"spectral_norm": False, "gradient_penalty": "norm", "decay": False}
        width, batch_size = NETWORKS[self.scale_name]
        initial = {"initial_epochs": 10 if self.scale_name == "paper" else 1}
        return {**off_weights, **switches, **initial, "width": width, "batch_size": batch_size}


def _each_by_itself(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a first trial of `gradnorm`, with each choice of its algorithm."""
    numbers = dict(params)
    is_published = numbers.pop("algorithm") == PUBLISHED
    return {**(AS_PUBLISHED if is_published else AS_ENERGY_BASED), **numbers}


def _conditional(params: Mapping[str, Any]) -> dict[str, Any]:
    """The method's defaults of what belongs to the choices of a first trial."""
    pool = {"pool_size": 3.0, "fake_batches": 3} if params["fakes"] == "pool" else {}
    earlier = {"buffer_size": 2000, "earlier_noise": off(NOISE[0])} if params["start"] == "earlier" else {}
    return {**pool, **earlier}


def _pool(trial: BaseTrial) -> dict[str, Any]:
    """The pool of fakes: its size as a multiple of the training set's, and batches drawn from it."""
    return {
        "pool_size": trial.suggest_float("pool_size", 0.25, 3.0, log=True),
        "fake_batches": trial.suggest_int("fake_batches", 1, 3),
    }

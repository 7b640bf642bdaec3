"""Search spaces from outside the packages: as small as they get, and their trials wait where a test says so.

They are named by this file: `--space FILE:Tiny --scale smoke`. It imports nothing beside it, as studies demand.
"""

from __future__ import annotations

import time
from pathlib import Path

from search_spaces.space import FirstTrial, Scale, SearchSpace, Suggestion
from trainables.measures.settings import DetectionSettings, FidelitySettings, PixelsSettings
from trainables.methods.discriminator_only import DiscriminatorOnly

MEASURES = (
    FidelitySettings(num_samples=64),
    PixelsSettings(num_samples=64),
    DetectionSettings(ood_sets=("scrambled",), num_scored=100, resamples=10),
)
FIXED = {"width": 1 / 64, "batch_size": 32, "initial_epochs": 1, "max_updates": 3, "lambda_gnorm": 1.0}
RATES = [(4e-3, 0.1), (5e-3, 0.12), (3e-3, 0.09), (1e-4, 0.01)]
"""Of the discriminator and of the images. The last one's images do not leave the noise, the others' do."""

TWO_TRIALS = {"smoke": Scale("digits", rounds=4, evaluate_every=2, measures=MEASURES, trials=2, fixed=FIXED)}
FIVE_LONGER_ONES = {"smoke": Scale("digits", rounds=12, evaluate_every=2, measures=MEASURES, trials=5, fixed=FIXED)}


class Held(DiscriminatorOnly):
    """Waits before a round while a file says so that is in a folder above this one.

    A study's trials run a copy of this file in the study's folder, so that may be its storage folder. The file says
    which trial is the first to wait, and after how many rounds. A trial's seed is its number.
    """

    def train_round(self) -> dict[str, float]:
        while self._is_held():
            time.sleep(0.02)
        return super().train_round()

    def _is_held(self) -> bool:
        for folder in Path(__file__).parents:
            try:
                trial, rounds = map(int, (folder / "hold").read_text().split())
            except OSError:
                continue
            return self.config.seed >= trial and self.round >= rounds
        return False


class Tiny(SearchSpace):
    """Two rates, for studies that test something else."""

    name = "tiny"
    description = "two rates of the discriminator-only method"
    method = "tiny:Held"
    scales = TWO_TRIALS

    def suggest(self, trial):
        return Suggestion(
            {
                "discriminator_lr": trial.suggest_float("discriminator_lr", 1e-4, 2e-2, log=True),
                "image_lr": trial.suggest_float("image_lr", 1e-2, 0.3, log=True),
            }
        )

    def first_trials(self):
        """The second gets further in so few rounds: early stopping lets both use their budget."""
        return [_with_rates("fast", *RATES[0]), _with_rates("slow", *RATES[-1])]


class Diverging(Tiny):
    """The loss of the first trial overflows."""

    name = "diverging"
    diverging = 0

    def suggest(self, trial):
        diverges = {"lambda_ce": 1e38} if trial.number == self.diverging else {}
        return Suggestion({**super().suggest(trial).config, **diverges})


class Population(Diverging):
    """Four trials, one of which is far behind the others after its first rounds, and one whose loss overflows."""

    name = "population"
    diverging = len(RATES)
    scales = FIVE_LONGER_ONES

    def first_trials(self):
        return [_with_rates(f"rates {number}", *rates) for number, rates in enumerate(RATES)]


def _with_rates(name: str, discriminator_lr: float, image_lr: float) -> FirstTrial:
    return FirstTrial(name, {"discriminator_lr": discriminator_lr, "image_lr": image_lr})

"""What [Yesilcimen 2022] reports for discriminator-only generation on MNIST (sections 4.2.4 and 4.2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Section 4.2.4.
LAMBDA_STAT = 100.0
LAMBDA_TV = 1e-3
LAMBDA_GNORM = 50.0
LAMBDA_CE = 1e-4
DISCRIMINATOR_LR = 1e-4
IMAGE_LR = 0.01
MAX_UPDATES = 500

INITIAL_ACCURACY = 0.9945
"""After the initial training, which is the same in all variants (section 4.2.5)."""


@dataclass(frozen=True)
class Variant:
    """The terms that a variant adds to the baseline, and its best Frechet Inception distance (table 4.1, text)."""

    total_variation: bool
    cross_entropy: bool
    gradient_norm: bool
    fid_inception_best: float
    auroc: Mapping[str, float] = field(default_factory=dict)
    """By data set, of the weights with the best distance (table 4.2)."""

    @property
    def weights(self) -> dict[str, float]:
        """The variant's loss weights, 0 for a term that is off."""
        return {
            "lambda_tv": LAMBDA_TV * self.total_variation,
            "lambda_ce": LAMBDA_CE * self.cross_entropy,
            "lambda_gnorm": LAMBDA_GNORM * self.gradient_norm,
        }

    @property
    def figures(self) -> dict[str, float]:
        """All that was published of the variant, by the full names of metrics."""
        auroc = {f"auroc_{dataset}_at_best": value for dataset, value in self.auroc.items()}
        return {"fid_inception_best": self.fid_inception_best, **auroc, "initial_accuracy": INITIAL_ACCURACY}


VARIANTS = {
    "baseline": Variant(False, False, False, 57.16),
    "tv": Variant(True, False, False, 63.29),
    "ce": Variant(False, True, False, 60.38),
    "gnorm": Variant(False, False, True, 30.96),
    "gnorm+tv": Variant(True, False, True, 34.60),
    "gnorm+ce": Variant(False, True, True, 27.69),
    "all": Variant(True, True, True, 25.26, auroc={"fashion_mnist": 0.998, "kmnist": 0.999, "emnist": 0.938}),
}

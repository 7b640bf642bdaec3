"""What the thesis of 2022 reports for discriminator-only generation on MNIST (table 4.1 and section 4.2.5)."""

from __future__ import annotations

from dataclasses import dataclass

# Section 4.2.4.
LAMBDA_STAT = 100.0
LAMBDA_TV = 1e-3
LAMBDA_GNORM = 50.0
LAMBDA_CE = 1e-4
DISCRIMINATOR_LR = 1e-4
IMAGE_LR = 0.01
MAX_UPDATES = 500


@dataclass(frozen=True)
class Variant:
    """The terms that a variant adds to the baseline, and its best Frechet Inception distance."""

    total_variation: bool
    cross_entropy: bool
    gradient_norm: bool
    fid_inception_best: float

    @property
    def weights(self) -> dict[str, float]:
        """The variant's loss weights, 0 for a term that is off."""
        return {
            "lambda_tv": LAMBDA_TV * self.total_variation,
            "lambda_ce": LAMBDA_CE * self.cross_entropy,
            "lambda_gnorm": LAMBDA_GNORM * self.gradient_norm,
        }


VARIANTS = {
    "baseline": Variant(False, False, False, 57.16),
    "tv": Variant(True, False, False, 63.29),
    "ce": Variant(False, True, False, 60.38),
    "gnorm": Variant(False, False, True, 30.96),
    "gnorm+tv": Variant(True, False, True, 34.60),
    "gnorm+ce": Variant(False, True, True, 27.69),
    "all": Variant(True, True, True, 25.26),
}

"""The figures of [Yesilcimen 2022] for discriminator-only generation on MNIST (sections 4.2.4 and 4.2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Section 4.2.4.
MAX_UPDATES = 500
RATES: Mapping[str, float] = {"discriminator_lr": 1e-4, "image_lr": 0.01, "max_updates": MAX_UPDATES}
LAMBDA_STAT = 100.0
WEIGHTS: Mapping[str, float] = {"lambda_tv": 1e-3, "lambda_ce": 1e-4, "lambda_gnorm": 50.0}

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

    def weights(self, on: Mapping[str, float] = WEIGHTS) -> dict[str, float]:
        """The variant's loss weights: the weight in `on` of a term that it has, 0 of one that it has not."""
        has = {
            "lambda_tv": self.total_variation,
            "lambda_ce": self.cross_entropy,
            "lambda_gnorm": self.gradient_norm,
        }
        return {name: on[name] if has[name] else 0.0 for name in has}

    @property
    def figures(self) -> dict[str, float]:
        """All that was published about the variant, by the full names of metrics."""
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

TABLE_4_3: Mapping[str, tuple[float, int]] = {
    "DCGAN": (10.85, 1_148_098),
    "PresGAN": (42.01, 6_338_176),
    "DuelGAN": (7.87, 69_154_696),
    "Tapli": (28.76, 98_902_997),
    "Our method": (25.26, 14_995_477),
}
"""Table 4.3: the Frechet Inception distance on MNIST and the number of weights of each model.

It is not like for like: the networks are for images of 32x32 (DCGAN), 64x64 (PresGAN) and unknown sizes, and the
figures come from different sources. The networks `dcgan_upsampling_32` and, at 1x64x64, `dcgan_without_biases` have the
first two numbers of weights, and that of "Our method" is reproduced too. DuelGAN's is not: its released code has no
such network.
"""

OTHERS: Mapping[str, float] = {model: TABLE_4_3[model][0] for model in ("DCGAN", "PresGAN", "DuelGAN")}
"""The distances of the GANs."""

DUQ_AUROC, DUQ_ACCURACY = 0.955, 0.924
"""DUQ on Fashion-MNIST: the AUROC against MNIST, and the accuracy (van Amersfoort et al. 2020, arXiv:2003.02037).

Table 4.2 has the AUROC in the column of Fashion-MNIST, beside the 0.998 of the discriminator alone. But the
discriminator was trained on MNIST, and DUQ on Fashion-MNIST.
"""

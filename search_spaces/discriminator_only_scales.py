"""The scales of discriminator-only generation, which several spaces share."""

from __future__ import annotations

from search_spaces import published
from search_spaces.space import Scale
from trainables.measures.settings import DetectionSettings, FidelitySettings, PixelsSettings

SMALL = {"width": 1 / 16, "batch_size": 64, "initial_epochs": 5, "pool_slack": 0.25}
"""Settings of the method with which two cores train on the 8x8 digits in half a minute."""

SCALES = {
    "smoke": Scale(
        dataset="digits",
        trials=2,
        rounds=4,
        evaluate_every=2,
        measures=(FidelitySettings(num_samples=128), PixelsSettings(), DetectionSettings()),
        fixed=SMALL | {"width": 1 / 64, "initial_epochs": 1},
    ),
    "laptop": Scale(
        dataset="digits",
        trials=18,
        rounds=322,
        evaluate_every=46,
        measures=(FidelitySettings(num_samples=1024), PixelsSettings(), DetectionSettings()),
        fixed=SMALL,
    ),
    "paper": Scale(
        dataset="mnist",
        trials=100,
        rounds=40 * 469,
        evaluate_every=469,
        measures=(
            FidelitySettings(num_samples=10_000, features="inception"),
            PixelsSettings(),
            DetectionSettings(ood_sets=("fashion_mnist", "kmnist", "emnist", "photo_patches", "scrambled")),
        ),
        fixed={"pool_slack": 0.1},
        gpus_per_trial=1.0,
    ),
}

MAX_UPDATES = {"smoke": (2, 4), "laptop": (5, 20), "paper": (100, published.MAX_UPDATES)}
"""How often a batch of images may be updated, fewest and most; [Yesilcimen 2022] allows the paper scale's most."""

"""The scales of discriminator-only generation, which several spaces share."""

from __future__ import annotations

from search_spaces import published
from search_spaces.image_measures import BESIDE_CLASSIFIER
from search_spaces.space import Epochs, Scale
from trainables.measures.settings import DetectionSettings, FidelitySettings, PixelsSettings

SMALL = {"width": 1 / 16, "batch_size": 64, "initial_epochs": 5, "pool_slack": 0.25}
"""Settings of the method with which two cores train on the 8x8 digits in half a minute."""

WHOLE_TEST_SET = 10_000
"""Images of MNIST's test set, and as many of each other set: fewer do not tell 0.998 from 0.999 (table 4.2)."""

LAPTOP_MEASURES = (FidelitySettings(num_samples=1024), BESIDE_CLASSIFIER, PixelsSettings(), DetectionSettings())

DETECTS = ("auroc_photo_patches>=0.97", "auroc_fashion_mnist>=0.97")
"""The same network generates and tells unknown images, and the weights with the lowest distance need not do both."""

SCALES = {
    "smoke": Scale(
        dataset="digits",
        trials=2,
        rounds=4,
        evaluate_every=2,
        measures=(FidelitySettings(num_samples=128), PixelsSettings(), DetectionSettings()),
        fixed=SMALL | {"width": 1 / 64, "initial_epochs": 1},
    ),
    # A first look is cheap, and what looks good is trained for long: early stopping decides in between.
    "laptop": Scale(
        dataset="mnist5k",
        trials=24,
        rounds=432,
        evaluate_every=144,
        evaluate_at=(48,),
        grace=1 / 9,
        least_progress=0.2,
        measures=LAPTOP_MEASURES,
        constraints=DETECTS,
        fixed={"width": 1 / 8, "batch_size": 32, "initial_epochs": 1, "pool_slack": 0.25},
    ),
    "paper": Scale(
        dataset="mnist",
        trials=100,
        # Section 4.2.4: 40 epochs, and after each the distance of its images to as many real ones.
        rounds=Epochs(40),
        evaluate_every=Epochs(1),
        measures=(
            FidelitySettings(num_samples="epoch", features="inception"),
            PixelsSettings(),
            DetectionSettings(
                ood_sets=("fashion_mnist", "kmnist", "emnist", "photo_patches", "scrambled"), num_scored=WHOLE_TEST_SET
            ),
        ),
        fixed={"pool_slack": 0.1},
        gpus_per_trial=1.0,
    ),
}

DIGITS = Scale(dataset="digits", rounds=322, evaluate_every=46, measures=LAPTOP_MEASURES, fixed=SMALL)
"""The laptop scale of grids, which repeat trainings with several seeds: on the 8x8 digits, one takes half a minute."""

FEW_ROUNDS = {"discriminator_lr": 1e-2, "image_lr": 0.2, "max_updates": 10, "lambda_stat": 1.0}
"""Found by hand, for the few hundred rounds of a laptop. The published rates are for 18,760: here they do nothing."""

MAX_UPDATES = {"smoke": (2, 4), "laptop": (2, 8), "paper": (100, published.MAX_UPDATES)}
"""The smallest and the largest limit of updates of a batch of images; the paper scale's largest is published."""

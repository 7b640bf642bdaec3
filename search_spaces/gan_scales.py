"""The scales and learning rates of GANs on images, which several spaces share."""

from __future__ import annotations

from dataclasses import replace

from search_spaces import published_gan as published
from search_spaces.image_measures import BESIDE_CLASSIFIER
from search_spaces.space import Scale
from trainables.measures.base import MeasureSettings
from trainables.measures.settings import DetectionSettings, ExtractorName, FidelitySettings, PixelsSettings


def measures(
    num_samples: int,
    features: ExtractorName = "lenet",
    inception_splits: int = 1,
    beside: tuple[MeasureSettings, ...] = (),
) -> tuple[MeasureSettings, ...]:
    """What is measured of GANs on images; `beside` are further measures of fidelity."""
    fidelity = FidelitySettings(num_samples=num_samples, features=features, inception_splits=inception_splits)
    return (fidelity, *beside, PixelsSettings(), DetectionSettings())


SMALL = {"generator_width": 1 / 4, "discriminator_width": 1 / 4, "init_std": 0.05}
"""Settings with which one core trains on the 8x8 digits in half a minute: narrow, so larger initial weights."""

SCALES = {
    "smoke": Scale(
        dataset="digits",
        trials=2,
        rounds=4,
        evaluate_every=2,
        measures=measures(128),
        fixed=SMALL | {"generator_width": 1 / 16, "discriminator_width": 1 / 16},
    ),
    "laptop": Scale(
        dataset="digits",
        trials=16,
        rounds=600,
        evaluate_every=100,
        measures=measures(1024, beside=(BESIDE_CLASSIFIER,)),
        fixed=SMALL,
    ),
    "paper": Scale(
        dataset="mnist",
        trials=60,
        rounds=published.MNIST_ITERATIONS,
        evaluate_every=published.ITERATIONS_BETWEEN_SCORES,
        measures=measures(published.SAMPLES_PER_SCORE, "inception"),
        gpus_per_trial=1.0,
    ),
}

COMPARED = {**SCALES, "laptop": replace(SCALES["laptop"], trials=8, seeds=3)}
"""The same, for spaces whose claims are about the first trials: these need several seeds to be compared."""

RATES = {"smoke": 1e-3, "laptop": 1e-3, "paper": published.LEARNING_RATE}
"""The learning rate to start from: the published one, or one found by hand for few iterations of narrow networks."""

RATE_RANGE = (5e-5, 5e-3)
MAX_DEPTH = 5

"""What the documents on GANs report: settings, and Inception Scores by depth and place of BatchNorm."""

from __future__ import annotations

# [Yamazaki 2017], table A.3 (images). Both networks have the same rate.
LEARNING_RATE = 2e-4

# [Yamazaki 2017], sections 4.5.2, 4.5.3 and 5.2. The appendix speaks of ten times as many iterations.
MNIST_ITERATIONS = 30_000
CIFAR10_ITERATIONS = 80_000
ITERATIONS_BETWEEN_SCORES = 100
SAMPLES_PER_SCORE = 5_000

BATCH_NORM = ("both", "generator")
"""Where [Yamazaki 2017] has BatchNorm: "G, D" and "G" in its tables."""

# [Yamazaki 2017], table 5.1: the score at each depth, M0 first; MNIST's of a small classifier, CIFAR-10's of Inception.
# Reading: the best of the scores that were taken during training.
MNIST_SCORES = {
    "both": (9.14, 9.50, 9.72, 9.73, 9.68, 9.70),
    "generator": (9.05, 9.22, 9.26, 9.14, 9.07, 9.11),
}
CIFAR10_SCORES = {
    "both": (6.71, 7.15, 5.59, 6.41),
    "generator": (5.58, 6.65, 7.60, 7.46),
}

# [Halbreich 2023], question 1. Not said there: normal latents, as is usual for DCGAN, and no weight decay.
DCGAN = {
    "generator": "dcgan",
    "discriminator": "dcgan",
    "batch_size": 128,
    "latent": "normal",
    "weight_decay": 0.0,
}
DCGAN_EPOCHS = 15
DCGAN_LOSSES = ("saturating", "non_saturating", "l2")

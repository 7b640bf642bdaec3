"""How well scores tell digits from clothing, and clothing from digits: a discriminator's, and those of classifiers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from search_spaces import published
from search_spaces.claim import SEED, Claim, where
from search_spaces.grid import GridSpace, Point
from search_spaces.space import Scale, Suggestion
from trainables.measures.settings import SCRAMBLED, ClassificationSettings, DetectionSettings

DIGITS, CLOTHING = "digits", "clothing"
PAIRS: dict[str, dict[str, str]] = {
    "smoke": {DIGITS: "digits", CLOTHING: "mnist5k"},
    "laptop": {DIGITS: "mnist5k", CLOTHING: "fashion5k"},
    "paper": {DIGITS: "mnist", CLOTHING: "fashion_mnist"},
}
"""What each scale trains on. The smallest has no clothing, since it should need no files."""

METHODS = ("discriminator_only", "gan", "sgan", "duq", "ensemble")

ALONE = {
    "width": 1 / 8,
    "batch_size": 32,
    "initial_epochs": 2,
    "discriminator_lr": 4e-3,
    "image_lr": 0.2,
    "max_updates": 20,
    "lambda_gnorm": 0.1,
    "lambda_stat": 0.1,
    "lambda_tv": 10.0,
    "lambda_ce": 0.0,
    "fakes": "just_made",
    "start": "earlier",
}
"""Found by hand for 28x28 pixels and few rounds. The published settings are for 18,760 rounds of up to 500 updates."""

NARROW = {"generator_width": 1 / 4, "discriminator_width": 1 / 4, "init_std": 0.05}
FAST = {"generator_lr": 1e-3, "discriminator_lr": 1e-3}
CLASSIFIER = {"width": 1 / 4, "num_features": 64}

SETTINGS: dict[str, dict[str, Mapping[str, Any]]] = {
    "smoke": {
        "discriminator_only": {"width": 1 / 64, "batch_size": 128, "initial_epochs": 1, "max_updates": 3},
        "gan": {"generator_width": 1 / 16, "discriminator_width": 1 / 16, "batch_size": 16},
        "sgan": {"generator_width": 1 / 16, "discriminator_width": 1 / 16, "batch_size": 16},
        "duq": {"width": 1 / 16, "num_features": 8, "embedding_size": 4, "batch_size": 16},
        "ensemble": {"width": 1 / 16, "num_features": 8, "members": 2, "batch_size": 16},
    },
    "laptop": {
        "discriminator_only": ALONE,
        "gan": {**NARROW, **FAST},
        "sgan": {**NARROW, **FAST, "labels": 1000},
        "duq": {**CLASSIFIER, "embedding_size": 64, "centroid_decay": 0.99, "falls_after": (8, 10)},
        "ensemble": {**CLASSIFIER, "members": 3, "falls_after": (8, 10)},
    },
    "paper": {
        "discriminator_only": {"pool_slack": 0.1},
        "gan": {},
        "sgan": {"labels": 1000},
        "duq": {},
        "ensemble": {},
    },
}

# Rounds of each method for each round of DUQ. At the paper scale a round of DUQ is a 469th of an epoch, of which it has
# 30, an ensemble 75, and the discriminator alone 40.
PACES: dict[str, Mapping[str, float]] = {
    "smoke": {},
    "laptop": {"discriminator_only": 1.0, "gan": 1.5, "sgan": 1.5},
    "paper": {"discriminator_only": 40 / 30, "gan": 2.0, "sgan": 2.0, "ensemble": 75 / 30},
}

SEEDS = {"smoke": 1, "laptop": 3, "paper": 5}
ROUNDS = {"smoke": (4, 2), "laptop": (384, 192), "paper": (30 * 469, 3 * 469)}
"""Of DUQ: all, and between evaluations."""
NUM_SCORED = {"smoke": 100, "laptop": 1000, "paper": 10_000}


def _scale(name: str) -> Scale:
    rounds, evaluate_every = ROUNDS[name]
    # What is trained on is left out of the sets, so the other one and the scrambled images remain.
    sets = (*PAIRS[name].values(), SCRAMBLED)
    return Scale(
        PAIRS[name][DIGITS],
        rounds=rounds,
        evaluate_every=evaluate_every,
        measures=(
            DetectionSettings(ood_sets=sets, num_scored=NUM_SCORED[name], resamples=20 if name == "smoke" else 500),
            # A discriminator that knows no classes is trained without it. The others see all labels, or 1,000.
            ClassificationSettings(labels=(), optional=True),
        ),
        seeds=SEEDS[name],
        gpus_per_trial=1.0 if name == "paper" else 0.0,
    )


class Uncertainty(GridSpace):
    """[Yesilcimen 2022], table 4.2, in both directions.

    The table has DUQ's published 0.955 beside its own 0.998. The first is of Fashion-MNIST against MNIST, the second of
    MNIST against Fashion-MNIST.
    """

    name = "uncertainty"
    description = "scores against unknown images, in both directions: discriminators, DUQ, a deep ensemble"
    methods = METHODS
    objectives = ("auroc",)
    scales: ClassVar[Mapping[str, Scale]] = {name: _scale(name) for name in PAIRS}
    grid: ClassVar = {"method": METHODS, "trained_on": (DIGITS, CLOTHING)}

    def __init__(self, scale_name: str, scale: Scale | None = None) -> None:
        super().__init__(scale_name, scale)
        self.datasets = tuple(PAIRS[scale_name].values())

    def suggestion(self, point: Point) -> Suggestion:
        method, dataset = point["method"], PAIRS[self.scale_name][point["trained_on"]]
        pace = PACES[self.scale_name].get(method, 1.0)
        return Suggestion(SETTINGS[self.scale_name][method], dataset, method, pace)

    def point_name(self, point: Point) -> str:
        return f"{point['method']}, trained on {point['trained_on']}"

    def published(self, point: Point) -> Mapping[str, float]:
        published_for = {
            ("discriminator_only", DIGITS): {"auroc_fashion_mnist": published.VARIANTS["all"].auroc["fashion_mnist"]},
            ("duq", CLOTHING): {"auroc_mnist": published.DUQ_AUROC, "accuracy": published.DUQ_ACCURACY},
        }
        return published_for.get((point["method"], point["trained_on"]), {})

    def claims(self) -> list[Claim]:
        source = "[Yesilcimen 2022], table 4.2"
        directions = {DIGITS: "Trained on digits", CLOTHING: "Trained on clothing"}
        better = [
            Claim(
                f"{trained}, the discriminator alone has a higher AUROC than DUQ.",
                source,
                "auroc",
                lower=where(method="duq", trained_on=direction),
                higher=where(method="discriminator_only", trained_on=direction),
                paired_by=(SEED,),
            )
            for direction, trained in directions.items()
        ]
        # The table compares across this difference.
        unlike = [
            Claim(
                f"{name} tells clothing from the digits that it was trained on better than digits from clothing.",
                source,
                "auroc",
                lower=where(method=method, trained_on=CLOTHING),
                higher=where(method=method, trained_on=DIGITS),
                paired_by=(SEED,),
            )
            for method, name in {"discriminator_only": "The discriminator alone", "duq": "DUQ"}.items()
        ]
        return better + unlike

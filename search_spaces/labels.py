"""Classification with few labels: two semi-supervised GANs, and their discriminators trained on the labels alone.

The lecture compares SGAN with a network that it calls CNN. Reading: the CNN is SGAN's discriminator without a generator
and without unlabelled images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from search_spaces.claim import SEED, Claim, where
from search_spaces.grid import GridSpace, Point
from search_spaces.space import Scale, Suggestion
from trainables.measures.settings import ClassificationSettings

LABELS = (25, 50, 100, 1000)
DRAWS = 10


@dataclass(frozen=True)
class Arm:
    """A method, how it differs from its defaults, and what was published for it, by the number of labels."""

    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    accuracies: Mapping[int, float] = field(default_factory=dict)

    @property
    def pace(self) -> float:
        """Its rounds for each round of feature matching: at this scale, SGAN needs fewer."""
        return 0.5 if self.method == "sgan" else 1.0


ALONE = {"unlabelled_weight": 0.0}
# With 100 labels Salimans et al. 2016 (arXiv:1606.03498) have 93 errors of 10,000, the mean of ten draws.
ARMS = {
    "feature matching": Arm("feature_matching", accuracies={100: 0.9907}),
    "its D, labels alone": Arm("feature_matching", ALONE),
    "SGAN": Arm("sgan", accuracies={1000: 0.964, 100: 0.928, 50: 0.883, 25: 0.802}),
    "D of SGAN, labels alone": Arm("sgan", ALONE, {1000: 0.965, 100: 0.895, 50: 0.859, 25: 0.750}),
}

SIZES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "smoke": {
        "feature_matching": {"discriminator_width": 1 / 32, "generator_width": 1 / 32, "batch_size": 16},
        "sgan": {"discriminator_width": 1 / 16, "generator_width": 1 / 16, "batch_size": 16},
    },
    # Fewer rounds need a faster average. With the published rate of 3e-3, accuracy rose no further after some 3,000
    # rounds in two of three trainings on mnist5k; the weight makes up for the lower rate. SGAN is as small and has as
    # high a rate as the GANs of other spaces (`gan_scales.SMALL`).
    "laptop": {
        "feature_matching": {
            "discriminator_width": 0.4,
            "average_rate": 2e-3,
            "lr": 1e-3,
            "unlabelled_weight": 2.0,
        },
        "sgan": {
            "discriminator_width": 0.25,
            "generator_width": 0.25,
            "init_std": 0.05,
            "discriminator_lr": 1e-3,
            "generator_lr": 1e-3,
        },
    },
    "paper": {"feature_matching": {}, "sgan": {}},
}
Tried = tuple[Sequence[int], int]
"""The numbers of labels, and how many draws there are of each."""
TRIED: Mapping[str, Tried] = {"smoke": ((25,), 1), "laptop": (LABELS, 5), "paper": (LABELS, DRAWS)}

PUBLISHED_ROUNDS = 180_000
"""300 epochs of 600 batches. For SGAN no number was published."""

CLOSE = 0.01
"""The lecture's accuracies with 1,000 labels differ by 0.001. Reading: less than one point is no difference."""


def _measures(scale: str) -> tuple[ClassificationSettings]:
    labels, draws = TRIED[scale]
    return (ClassificationSettings(labels=labels, draws=draws),)


class Labels(GridSpace):
    """[Kitov], semi-supervised GAN; Salimans et al. 2016, section 6.1.

    The labels of a draw are the same for all methods. Draws are a parameter, not seeds: seeds give initial weights and
    batches.
    """

    name = "labels"
    description = "semi-supervised GANs: number of labels x method x draw of the labels"
    methods = ("feature_matching", "sgan")
    # Of the last evaluation: the best one would be chosen by the test images.
    objectives = ("accuracy",)
    scales: ClassVar[Mapping[str, Scale]] = {
        "smoke": Scale("digits", rounds=4, evaluate_every=2, measures=_measures("smoke")),
        "laptop": Scale("digits", rounds=3000, evaluate_every=1000, measures=_measures("laptop")),
        "paper": Scale(
            "mnist", rounds=PUBLISHED_ROUNDS, evaluate_every=6000, measures=_measures("paper"), gpus_per_trial=0.25
        ),
    }
    grid: ClassVar = {"labels": LABELS, "draw": range(DRAWS), "method": tuple(ARMS)}
    tried: ClassVar[Mapping[str, Tried]] = TRIED

    def points(self) -> list[dict[str, Any]]:
        labels, draws = self.tried[self.scale_name]
        return [point for point in super().points() if point["labels"] in labels and point["draw"] < draws]

    def suggestion(self, point: Point) -> Suggestion:
        arm = ARMS[point["method"]]
        drawn = {"labels": point["labels"], "label_draw": point["draw"]}
        pace = arm.pace if self.scale_name == "laptop" else 1.0
        return Suggestion({**SIZES[self.scale_name][arm.method], **arm.settings, **drawn}, method=arm.method, pace=pace)

    def point_name(self, point: Point) -> str:
        return f"{self.setting_name(point)}, draw {point['draw']}"

    def setting_name(self, point: Point) -> str:
        return f"{point['method']}, {point['labels']} labels"

    def published(self, point: Point) -> Mapping[str, float]:
        accuracies = ARMS[point["method"]].accuracies
        return {"accuracy": accuracies[point["labels"]]} if point["labels"] in accuracies else {}

    def claims(self) -> list[Claim]:
        return [claim for number in self.tried[self.scale_name][0] for claim in _claims(number)]


def _claims(number: int) -> list[Claim]:
    matching, its_d, sgan, d_of_sgan = (where(labels=number, method=arm) for arm in ARMS)
    paired = ("draw", SEED)
    improved = Claim(
        f"With {number} labels, feature matching classifies better than its discriminator trained on the labels alone.",
        "[Kitov], feature matching",
        "accuracy",
        lower=its_d,
        higher=matching,
        paired_by=paired,
    )
    if number == max(LABELS):
        text = (
            f"With {number} labels, SGAN and its discriminator trained on the labels alone classify about as well: "
            f"their accuracies differ by less than {CLOSE}."
        )
        margin: float | None = CLOSE
    else:
        text = f"With {number} labels, SGAN classifies better than its discriminator trained on the labels alone."
        margin = None
    source = "[Kitov], semi-supervised GAN"
    return [improved, Claim(text, source, "accuracy", lower=d_of_sgan, higher=sgan, paired_by=paired, margin=margin)]

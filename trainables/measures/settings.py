"""Settings of the measures: what they report, for which data sets. No torch is needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from trainables.data.dataset import Dataset
from trainables.data.points import Mixture
from trainables.data.sources import file_name, parent_of, source_of
from trainables.data.tasks import IMAGE_TASKS, Task
from trainables.errors import InputError
from trainables.measures.base import MeasureSettings, Metric

ExtractorName = Literal["inception", "lenet", "efficientnet"]

SCRAMBLED = "scrambled"
"""The out-of-distribution set that is made of the data set's own test images."""

DETECTION_METRICS = ("auroc", "aupr_in", "aupr_out", "fpr95", "fpr95_out")
"""The metrics of each out-of-distribution set. `auroc` alone is also averaged over the sets."""

NEIGHBOURS = 3
"""The number of Kynkaanniemi et al. for precision and recall. There must be more samples than this."""

BALL_NEIGHBOURS = 5
"""The number of Naeem et al. for density and coverage."""

MINIMIZED, MAXIMIZED = Metric("minimize"), Metric("maximize")

FEATURE_METRICS = {
    "fid": Metric("minimize", shown=True),
    "is": Metric("maximize", shown=True),
    "kid": MINIMIZED,
    "precision": MAXIMIZED,
    "recall": MAXIMIZED,
    "density": MAXIMIZED,
    "coverage": MAXIMIZED,
    "entropy": MAXIMIZED,
    "confident": MAXIMIZED,
}
"""The metrics of features and class probabilities, without the name of the extractor."""


CLASSIFIER_ENTROPY = "entropy_lenet"
"""The entropy of the classes that the data set's classifier predicts, where another extractor measures."""

RESAMPLED = "_resampled"
"""Ends the name of a metric of new samples of the weights that were kept."""


class FeatureSettings(MeasureSettings):
    """How sets of images are compared by their features."""

    measure: str = "fidelity"
    features: ExtractorName = "lenet"
    """The extractor: Inception, a classifier trained on the data set, or EfficientNet-Lite0."""
    extractor_version: str = ""
    extractor_sha256: str = ""
    batch_norm: Literal["running"] = "running"
    """The statistics of BatchNorm in the extractor. BatchNorm in a generator is a setting of its method."""
    inception_splits: int = Field(1, ge=1)
    kid_subsets: int = Field(100, ge=1)
    kid_subset_size: int = Field(1000, ge=2, description="or all samples, if there are fewer")
    neighbours: int = Field(NEIGHBOURS, ge=1, description="the distance to this neighbour is the radius of a ball")
    ball_neighbours: int = Field(BALL_NEIGHBOURS, ge=1, description="the same for density and coverage")
    seed: int = Field(0, ge=0, description="picks the real images and the subsets")

    def families(self) -> dict[str, str]:
        return {family: f"{family}_{self.features}" for family in FEATURE_METRICS}

    def metrics(self, dataset: str) -> dict[str, Metric]:
        found = {self.families()[family]: metric for family, metric in FEATURE_METRICS.items()}
        if self.features == "efficientnet":
            # Reported, but not shown: its classes are of photographs, which images of digits hardly are.
            found[self.families()["is"]] = MAXIMIZED
        return found

    @property
    def splits_deviation(self) -> str:
        """The name of the Inception Score's standard deviation over its splits, where there are several."""
        return f"is_{self.features}_splits_std"


class FidelitySettings(FeatureSettings):
    """How similar generated images are to real ones, by their features."""

    frames = ("samples",)

    num_samples: Annotated[int, Field(ge=2)] | Literal["epoch"] = Field(
        description='generated images, and as many real ones if there are enough; "epoch": as many as training images'
    )
    reference_split: Literal["train"] = "train"
    classifier_sha256: str = ""
    """The data set's classifier, where it has one and another extractor measures."""
    beside_another: bool = False
    """Whether a fidelity measure before this one, of the same protocol, draws the samples and has their classes."""
    inception_weights: Path | None = Field(None, exclude=True, description="the file, if not in torch hub's cache")
    inception_sha256: str | None = Field(None, exclude=True, description="checksum of weights other than pytorch-fid's")

    def count(self, dataset: Dataset) -> int:
        """The number of samples on a data set."""
        return len(dataset.train) if self.num_samples == "epoch" else self.num_samples

    def metrics(self, dataset: str) -> dict[str, Metric]:
        return super().metrics(dataset) | ({CLASSIFIER_ENTROPY: MAXIMIZED} if self.classifier_sha256 else {})

    def check(self, dataset: str) -> None:
        refuse_points(dataset)
        neighbours = max(self.neighbours, self.ball_neighbours)
        if self.num_samples != "epoch" and self.num_samples <= neighbours:
            raise InputError(f"{self.num_samples} samples are too few: more than {neighbours} are needed.")


class PixelsSettings(MeasureSettings):
    """Whether generated images repeat one another, or the training images."""

    frames = ("nearest",)

    measure: str = "pixels"
    num_samples: int = Field(1000, ge=2, description="most generated images and test images to compare")
    seed: int = Field(0, ge=0, description="picks the test images")

    def metrics(self, dataset: str) -> dict[str, Metric]:
        return {"duplicates": MINIMIZED, "copying": Metric(target=0.5)}

    def check(self, dataset: str) -> None:
        refuse_points(dataset)


def set_name(dataset: str) -> str:
    """How metrics call an out-of-distribution set: trackers refuse most of what a path may have."""
    return dataset if re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", dataset) else file_name(dataset)


class SharpnessSettings(MeasureSettings):
    """How much contrast generated images have, and how blurred they are."""

    measure: str = "sharpness"
    num_samples: int = Field(256, ge=1)
    seed: int = Field(0, ge=0, description="picks the test images")

    def metrics(self, dataset: str) -> dict[str, Metric]:
        return {"contrast": Metric("maximize", shown=True), "blur": Metric("minimize", shown=True)}

    def check(self, dataset: str) -> None:
        refuse_points(dataset)


class DetectionSettings(MeasureSettings):
    """How well the method's score tells test images from images of other data sets."""

    measure: str = "detection"
    ood_sets: tuple[str, ...] = ("photo_patches", SCRAMBLED, "fashion_mnist")
    """A set that would have to be downloaded is left out."""
    num_scored: int = Field(1000, ge=2, description="most test images per set")
    resamples: int = Field(500, ge=1, description="resamples of the bootstrap for intervals")
    seed: int = Field(0, ge=0, description="picks the images, scrambles, resamples")
    classifier_sha256: str = ""
    """Checksum of the data set's classifier, which gives a reference value; empty if there is none."""
    download: bool = Field(False, exclude=True, description="whether absent sets are downloaded")

    def metrics(self, dataset: str) -> dict[str, Metric]:
        names = [f"{metric}_{set_name(name)}" for metric in DETECTION_METRICS for name in self.ood_sets]
        per_set = {name: MINIMIZED if name.startswith("fpr95") else MAXIMIZED for name in names}
        return {"auroc": Metric("maximize", shown=True), **per_set} if names else {}

    def check(self, dataset: str) -> None:
        refuse_points(dataset)
        for name in self.ood_sets:
            if name != SCRAMBLED and source_of(name).points is not None:
                raise InputError(f"--ood-sets {name}: this data set has points, name data sets of images.")


class RestorationSettings(FeatureSettings):
    """How well degraded test images are restored. A method that has several tasks says by `task` which one it does."""

    measure: str = "restoration"
    tasks: tuple[Task, ...] = Field(IMAGE_TASKS, min_length=1)
    num_images: int = Field(100, ge=BALL_NEIGHBOURS + 1, description="first test images; always degraded alike")
    num_real: int = Field(1000, ge=2, description="training images that restored ones are compared with as a set")
    parameters: dict[Task, dict[str, float]] = Field(default_factory=dict)
    """Of the classical methods: by task and name, chosen on training images."""

    def metrics(self, dataset: str) -> dict[str, Metric]:
        shown = Metric("maximize", shown=True)
        of_tasks = {f"{metric}_{task}": MAXIMIZED for task in self.tasks for metric in ("psnr", "psnr_pooled", "ssim")}
        of_hole = {"psnr_in_hole": MAXIMIZED} if "hole" in self.tasks else {}
        of_classes = {"class_kept": shown} if self.features == "lenet" else {}
        return {
            "psnr_gain": shown,
            "psnr_over_degraded": MAXIMIZED,
            "sharpness": Metric(target=1.0, shown=True),
            **of_tasks,
            **of_hole,
            **of_classes,
            **super().metrics(dataset),
        }

    def check(self, dataset: str) -> None:
        refuse_points(dataset)


class ReconstructionSettings(MeasureSettings):
    """How much of test images is left in their reconstructions."""

    measure: str = "reconstruction"
    num_images: int = Field(1000, ge=2, description="most test images")
    components: int = Field(20, ge=1, description="of the PCA that is a reference: as many as a code has numbers")
    seed: int = Field(0, ge=0, description="picks the test images")
    classifier_sha256: str = ""
    """Checksum of the data set's classifier; empty if there is none."""

    def metrics(self, dataset: str) -> dict[str, Metric]:
        errors = {"reconstruction_mse": Metric("minimize", shown=True), "reconstruction_ssim": MAXIMIZED}
        return errors | ({"reconstruction_agreement": MAXIMIZED} if self.classifier_sha256 else {})

    def check(self, dataset: str) -> None:
        refuse_points(dataset)


class PointsSettings(MeasureSettings):
    """How close generated points are to a distribution on the plane or the line."""

    frames = ("points",)

    measure: str = "points"
    num_samples: int = Field(ge=2, description="generated points, for counting modes and for pictures")
    num_compared: int = Field(2000, ge=2, description="generated points and test points for pairwise distances")

    def metrics(self, dataset: str) -> dict[str, Metric]:
        shown = Metric("maximize", shown=True)
        is_mixture = isinstance(source_of(dataset).points, Mixture)
        of_shape = {"modes": shown, "inside": shown} if is_mixture else {"distance": Metric("minimize", shown=True)}
        energies = {"energy": Metric("minimize", shown=True), "energy_absolute": MINIMIZED}
        of_scores = {"boundary": shown, "optimality_gap": Metric("minimize", shown=True)}
        return {**energies, "spread": Metric(target=1.0), **of_shape, **of_scores}

    def check(self, dataset: str) -> None:
        if source_of(dataset).points is None:
            raise InputError(f"measure 'points' is for points, and data set {dataset!r} has images.")


class ClassificationSettings(MeasureSettings):
    """How well a method that saw few labels classifies the test examples."""

    measure: str = "classification"
    labels: tuple[Annotated[int, Field(ge=2)], ...] = (1000, 100, 50, 25)
    """The numbers of labels with which the reference classifiers are trained."""
    draws: int = Field(5, ge=1, description="draws of the labels over which reference values are averaged: 0, 1, 2 ...")

    def metrics(self, dataset: str) -> dict[str, Metric]:
        return {
            "accuracy": Metric("maximize", shown=True),
            "calibration_error": MINIMIZED,
            "log_likelihood": MAXIMIZED,
        }

    def check(self, dataset: str) -> None:
        refuse_points(dataset)
        source = source_of(dataset)
        if source.shape and source.num_classes is None:  # of the user's own images, only the files can tell
            raise InputError(f"data set {dataset!r} has no labels: choose one that has.")


def refuse_points(dataset: str) -> None:
    """Raise `InputError` for a data set of points."""
    if source_of(parent_of(dataset)).points is not None:
        raise InputError(f"this space measures images, and data set {dataset!r} has points: choose another one.")

"""How much of test images is left when a method encodes and decodes them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from trainables.data.dataset import Dataset
from trainables.data.subset import choose
from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.extractors.base import Extractor
from trainables.extractors.by_name import load_classifier_of, prepare_classifier_of
from trainables.measures.base import Measure, Measured, Prepared
from trainables.measures.image_figures import save_sample_grid
from trainables.measures.settings import ReconstructionSettings
from trainables.measures.subject import Subject
from trainables.methods.abilities import Reconstructs
from trainables.metrics.restoration import ssim

SHOWN = 16
"""Images in the picture with their reconstructions."""


class Reconstruction(Measure):
    """Compares test images with their reconstructions, by pixels and by the classes that the classifier sees."""

    Settings = ReconstructionSettings
    needs = Reconstructs

    @classmethod
    def prepare(cls, settings: ReconstructionSettings, dataset: str, cache_dir: Path) -> Prepared:
        return Prepared(settings.model_copy(update={"classifier_sha256": prepare_classifier_of(dataset, cache_dir)}))

    def __init__(
        self, settings: ReconstructionSettings, dataset: Dataset, cache_dir: Path, device: torch.device
    ) -> None:
        self.settings = settings
        self.dataset = dataset
        self.images = to_tensor(choose(dataset.test.examples, settings.num_images, settings.seed), device)
        self.classifier: Extractor | None = None
        if settings.classifier_sha256:
            self.classifier = load_classifier_of(dataset.name, settings.classifier_sha256, cache_dir, device)
            self.classes = self._classes(self.images)

    def __call__(self, subject: Subject) -> Measured:
        reconstructed = subject.method.reconstruct(self.images)
        return Measured(self.image_metrics(reconstructed), reconstructed)

    def image_metrics(self, reconstructed: Tensor) -> dict[str, float]:
        """The metrics of reconstructions `(n, C, H, W)` in [-1, 1] of the test images.

        The error is of pixels in [0, 1]. The agreement is the share of images in whose reconstruction the classifier
        sees the same class.
        """
        found = {
            "reconstruction_mse": float(((reconstructed - self.images) / 2).square().mean()),
            "reconstruction_ssim": ssim(reconstructed, self.images),
        }
        if self.classifier is not None:
            same = self._classes(reconstructed) == self.classes
            found["reconstruction_agreement"] = float(same.float().mean())
        return found

    def references(self) -> dict[str, float]:
        """The metrics of the training images' mean, of a PCA with as many components as codes have numbers, and of
        another test image in the place of each: what is reached without knowing the image, and by a linear method."""
        components, most = self.settings.components, min(self.images[0].numel(), len(self.dataset.train))
        if components > most:
            raise InputError(
                f"the PCA that reconstructions are compared with has {components} components, and data set "
                f"{self.dataset.name!r} allows {most}: use smaller codes."
            )
        mean, projected = self._linear(components)
        others = torch.randperm(len(self.images), generator=torch.Generator().manual_seed(self.settings.seed))
        by_name = {"mean_image": mean, "pca": projected, "another_image": self.images[others]}
        metrics = {name: self.image_metrics(images) for name, images in by_name.items()}
        return {f"{metric}_{name}": value for name, found in metrics.items() for metric, value in found.items()}

    def _linear(self, components: int) -> tuple[Tensor, Tensor]:
        """The mean of the training images, and the test images projected on their first principal components."""
        from sklearn.decomposition import PCA  # imported late: most studies need none

        training = to_tensor(self.dataset.train.examples).flatten(1).numpy()
        pca = PCA(components, svd_solver="full").fit(training)
        projected = pca.inverse_transform(pca.transform(self.images.cpu().flatten(1).numpy()))
        mean = torch.from_numpy(pca.mean_).to(self.images).expand(len(self.images), -1)
        whole = torch.from_numpy(projected).to(self.images).clamp(-1.0, 1.0)
        return mean.reshape(self.images.shape), whole.reshape(self.images.shape)

    def draw(self, measured: Measured, folder: Path) -> None:
        """Write `reconstructions.png`: originals above their reconstructions."""
        pairs = torch.cat([self.images[:SHOWN], measured.seen[:SHOWN]])
        save_sample_grid(pairs, folder / "reconstructions.png", columns=len(pairs) // 2)

    def _classes(self, images: Tensor) -> Tensor:
        assert self.classifier is not None
        _, probabilities = self.classifier(images)
        return torch.from_numpy(probabilities.argmax(axis=1))

"""What semi-supervised GANs share: a few labels, many images without, and a discriminator that tells classes apart."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from trainables.data.batches import EpochSampler
from trainables.data.dataset import Dataset
from trainables.data.labelled import draw_labelled
from trainables.data.tensors import to_tensor
from trainables.methods import batchwise
from trainables.methods.base import Method, MethodConfig, sub_seed
from trainables.methods.latents import Latents
from trainables.methods.scalars import Scalars, as_metrics
from trainables.networks.batch_norm import normalising_by


class SemiSupervisedConfig(MethodConfig):
    """Labels, batches and the weight of what needs no labels."""

    labels: int = Field(100, ge=2, description="training images whose labels are given, evenly of all classes")
    label_draw: int = Field(0, ge=0, description="which ones: the seed of the draw, which `seed` does not change")
    unlabelled_weight: float = Field(
        1.0, ge=0, description="weight of the loss without labels; 0: the discriminator is trained on the labels alone"
    )
    latent_dim: int = Field(100, ge=1)
    batch_size: int = Field(100, ge=2, le=4096, description="labelled, unlabelled and generated images, each")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's first decay; the second is 0.999")


class SemiSupervised(Method):
    """A round is one update of the discriminator and, unless it is trained on the labels alone, one of the generator.

    The unlabelled images are all training images, the labelled ones among them. Labelled batches are drawn with
    replacement, by random numbers of their own: so they are the same whatever else is trained.
    """

    config: SemiSupervisedConfig
    state: ClassVar[tuple[str, ...]] = (
        "round",
        "generator",
        "discriminator",
        "generator_optimizer",
        "discriminator_optimizer",
        "real_batches",
        "labelled_seed",
    )
    latents: Latents
    generator: nn.Module
    discriminator: nn.Module

    def __init__(self, config: SemiSupervisedConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        labelled = draw_labelled(dataset, config.labels, config.label_draw)
        assert dataset.num_classes is not None
        assert dataset.train.labels is not None
        self.num_classes = dataset.num_classes
        self.labelled_images = to_tensor(dataset.train.examples[labelled], device)
        self.labelled_classes = torch.from_numpy(dataset.train.labels[labelled]).to(device)
        self.real_batches = EpochSampler(len(dataset.train), config.batch_size, self.rng)
        self.labelled_seed = sub_seed(config.seed, "labelled batches")
        self.is_supervised = config.unlabelled_weight == 0
        self.round = 0

    def adam(self, network: nn.Module, lr: float) -> torch.optim.Adam:
        """Adam for the weights of `network` that are trained."""
        weights = [weight for weight in network.parameters() if weight.requires_grad]
        return torch.optim.Adam(weights, lr=lr, betas=(self.config.beta1, 0.999), fused=True)

    def train_round(self) -> Scalars:
        """One round. `accuracy_labelled` is of the labelled batch, before the update."""
        self.round += 1
        rng = torch.Generator(self.device).manual_seed(sub_seed(self.labelled_seed, str(self.round)))
        chosen = torch.randint(self.config.labels, (self.config.batch_size,), generator=rng, device=self.device)
        metrics = self.update_networks(self.labelled_images[chosen], self.labelled_classes[chosen], rng)
        return as_metrics(metrics, self.round)

    @abstractmethod
    def update_networks(self, images: Tensor, classes: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Update the networks with a labelled batch; `rng` gives the noise that is added to it."""

    def unlabelled_batch(self) -> Tensor:
        """The next training images."""
        return self.training_examples(self.real_batches.next())

    def generate(self) -> Tensor:
        """A batch of the generator in training, with its gradient."""
        return self.generator(self.latents.draw(self.config.batch_size, self.rng))

    @abstractmethod
    def judge(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """For a trained method: class probabilities `(n, C)` of images, and the logits that they are real `(n,)`."""

    def classify(self, x: Tensor) -> Tensor:
        """Class probabilities `(n, C)`, given that an image is real."""
        return self._judged(x)[:, :-1]

    def score(self, x: Tensor) -> Tensor:
        """Logits `(n,)` of the probability that an image is real. Without the unlabelled loss they mean nothing."""
        return self._judged(x)[:, -1]

    def _judged(self, x: Tensor) -> Tensor:
        return batchwise.outputs(lambda batch: torch.column_stack(self.judge(batch)), x, self.device)

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """`n` images in [-1, 1]."""
        with normalising_by(self.generator, "running"):
            size = self.config.batch_size
            return batchwise.make(n, size, lambda: self.generator(self.latents.draw(size, rng).to(self.device)))

    def networks(self) -> dict[str, Any]:
        return {"generator": self.generator, "discriminator": self.discriminator}

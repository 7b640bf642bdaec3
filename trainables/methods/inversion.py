"""Restoration by the latents of a trained generator ([Halbreich 2023], questions 2 and 3; Bora et al. 2017)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import Field, ValidationError
from torch import Tensor, nn

from trainables.data.batches import EpochSampler
from trainables.data.cache import open_dataset
from trainables.data.dataset import Dataset
from trainables.data.degradations import TASKS, Hole
from trainables.data.tasks import Task
from trainables.errors import InputError
from trainables.export import build, read_header
from trainables.files import sha256_of
from trainables.generators import bring, train_once, trained
from trainables.inversion import (
    FOUND,
    Inverted,
    SearchLoss,
    SearchSettings,
    invert,
    pixel_errors,
    relative_norm,
    spread,
)
from trainables.methods import batchwise
from trainables.methods.abilities import Encodes, Generates
from trainables.methods.base import Method, MethodConfig, method_class, require_finite, sub_seed
from trainables.methods.updates import frozen


class InversionConfig(MethodConfig):
    """How latents are searched, and the generator whose latents they are: exported weights, or one that is trained."""

    task: Task = Field("projection", description="what is undone: a name in trainables.data.degradations")
    loss: SearchLoss = Field("l2", description="the error that is minimised: squared or absolute")
    lr: float = Field(0.1, gt=0, le=10, description="Adam on the latents")
    iterations: int = Field(300, ge=0, description="updates of each latent; the best one on the way is kept")
    restarts: int = Field(3, ge=1, le=1000, description="random starts, the same for all images; the best is kept")
    start: Literal["prior", "encoder"] = Field("prior", description="the encoder's mean is one start, of a VAE")
    prior_weight: float = Field(0.0, ge=0, description="of a latent's squared norm, in units of the loss, a mean")
    batch_size: int = Field(64, ge=1, description="training images that are inverted in a round")
    weights: str = Field(
        "",
        description="a generator, as --from names it; empty: `generator` is trained first",
    )
    weights_sha256: str = Field("", description="checksum of the file; empty: any")
    generator: str = Field("vae", description="its method")
    generator_settings: dict[str, Any] = Field(default_factory=dict, description="those of the generator's method")
    generator_rounds: int = Field(4000, ge=0, description="for which it is trained, if there are no weights")

    @classmethod
    def tiny(cls, **settings: Any) -> Self:
        vae = {"hidden_units": 8, "latent_dim": 3, "batch_size": 16}
        small = {"iterations": 3, "restarts": 2, "batch_size": 4, "generator_settings": vae, "generator_rounds": 2}
        return cls(**{**small, **settings})


class Inversion(Method):
    """The generator stays as it is. The first round loads it; each round inverts a batch of degraded training images.

    The driver brings the weights into the cache, or trains them there once for all trials (`prepare`). Without a driver
    the first round trains them, on the CPU.
    """

    Config = InversionConfig
    needs_data = False
    config: InversionConfig
    state = ("round", "network", "batches")
    round_metrics = ("loss_search", "share_found", "latent_norm", "restarts_spread")

    @classmethod
    def prepare(cls, config: InversionConfig, dataset: str, cache_dir: Path) -> InversionConfig:
        if config.weights:
            path = bring(Path(config.weights), config.weights_sha256, open_dataset(dataset, cache_dir), cache_dir)
        else:
            settings = _generator_config(config).model_dump(mode="json")
            path = train_once(config.generator, settings, config.generator_rounds, dataset, cache_dir)
        header = read_header(path)
        found = {"weights": str(path), "weights_sha256": sha256_of(path)}
        return config.model_copy(update={**found, "generator": header.method, "generator_settings": header.config})

    def __init__(self, config: InversionConfig, dataset: Dataset, device: torch.device) -> None:
        super().__init__(config, dataset, device)
        self.degradation = TASKS[config.task]
        self.degradation.check(dataset.shape)
        self.generator = trained(config.generator, dict(_generator_config(config)), 0, dataset, device)
        assert isinstance(self.generator, Generates)
        if config.start == "encoder" and not self.degradation.keeps_shape:
            raise InputError(f"start=encoder needs whole images, which task {config.task!r} does not leave.")
        if config.start == "encoder" and not isinstance(self.generator, Encodes):
            raise InputError(f"start=encoder needs a method with an encoder, and {config.generator!r} has none.")
        # The starts are kept with the weights: the exported file restores as the trial did.
        rng = torch.Generator().manual_seed(sub_seed(config.seed, "starts"))
        starts = nn.Module()
        starts.register_buffer("latents", self.generator.draw_latents(config.restarts, rng).to(device))
        self.network = nn.ModuleDict({**self.generator.networks(), "starts": starts})
        self.batches = EpochSampler(len(dataset.train), config.batch_size, self.rng)
        self.round = 0

    @property
    def task(self) -> Task:
        """What the method undoes; measures of restoration ask."""
        return self.config.task

    def train_round(self) -> dict[str, float]:
        """Invert a batch of training images.

        `loss_search` is the lowest loss, `share_found` the share of images whose squared error per pixel in [0, 1] is
        below 0.02, `latent_norm` is near 1 where latents are as in the prior, and `restarts_spread` is the deviation of
        the loss between restarts.
        """
        self.round += 1
        if self.round == 1:
            self._load_generator()
        originals = self.training_examples(self.batches.next())
        found = self._search(self.degradation(originals, self.rng))
        losses = {"loss_search": found.losses.min(1).values.mean().item()}
        return require_finite(losses, self.round) | {
            "share_found": (pixel_errors(found.images, originals) < FOUND).float().mean().item(),
            "latent_norm": relative_norm(found.latents),
            "restarts_spread": spread(found.losses),
        }

    def _load_generator(self) -> None:
        config = self.config
        if config.weights:
            path = Path(config.weights)
            if config.weights_sha256 not in ("", sha256_of(path)):
                raise InputError(f"{path} has changed since the study prepared it: start the study anew.")
            source = build(path, self.dataset, self.device)
        else:
            settings = dict(_generator_config(config))
            source = trained(config.generator, settings, config.generator_rounds, self.dataset, torch.device("cpu"))
        for name, network in source.networks().items():
            self.network[name].load_state_dict(network.state_dict())

    def _search(self, degraded: Tensor) -> Inverted:
        config, generator = self.config, self.generator
        assert isinstance(generator, Generates)
        starts = self.network["starts"].get_buffer("latents")
        if config.start == "encoder":
            assert isinstance(generator, Encodes)
            starts = generator.encode(degraded)[None]
        settings = SearchSettings(config.loss, config.lr, config.iterations, config.prior_weight)
        with frozen(self.network):
            return invert(generator, degraded, starts, settings, self.degradation.operator)

    def restore(self, degraded: Tensor) -> Tensor:
        """Restored images `(n, C, H, W)` in [-1, 1], each from its own degraded image alone; known pixels are kept."""
        restored = []
        for batch in degraded.split(batchwise.OUTPUT_BATCH):
            images = self._search(batch.to(self.device)).images
            if isinstance(hole := self.degradation.operator, Hole):
                images = torch.where(hole.mask(*images.shape[2:]).to(self.device), batch.to(self.device), images)
            restored.append(images.clamp(-1.0, 1.0))
        return torch.cat(restored)

    def networks(self) -> dict[str, nn.Module]:
        """The generator's networks and the starts."""
        return {"generator": self.network}


def _generator_config(config: InversionConfig) -> MethodConfig:
    """The settings of the generator's method; raises `InputError` for those that it refuses."""
    try:
        return method_class(config.generator).Config(**config.generator_settings)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise InputError(f"generator_settings: {name} of {config.generator}: {first['msg']}.") from error

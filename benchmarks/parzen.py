"""Why nobody should rank generators by the Parzen-window log-likelihood: what it says of sets that are known.

mnist5k, by the protocol of Goodfellow et al. 2014 (arXiv:1406.2661) with fewer images: training images, 200 k-means
centroids of them, 10,000 samples of an autoencoder, and noise. docs/metrics.md has the figures.
"""

from __future__ import annotations

from pathlib import Path

import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from sklearn.cluster import KMeans
from torch import Tensor

from trainables.data.cache import prepare
from trainables.data.tensors import to_tensor
from trainables.export import load_export
from trainables.generators import train_once
from trainables.methods.abilities import Samples
from trainables.methods.vae import VaeConfig
from trainables.metrics.parzen import PUBLISHED_BANDWIDTHS, parzen_log_likelihood

CACHE = Path("outputs/cache")
VALIDATION = 500
"""The last training images choose the bandwidth, and are no samples."""
CENTROIDS = 200
SAMPLES = 10_000
ROUNDS = 4000
"""Of the autoencoder."""


def sets(images: Tensor, decoded: Tensor) -> dict[str, Tensor]:
    """What is taken for samples, `(n, d)` in [0, 1], by name; `images` are for training, `decoded` an autoencoder's."""
    rng = torch.Generator().manual_seed(0)
    centroids = KMeans(CENTROIDS, n_init=1, random_state=0).fit(images.numpy()).cluster_centers_
    noise = images.mean(0) + images.std(0) * torch.randn(images.shape, generator=rng)
    return {
        f"{len(images):,} training images": images,
        f"{CENTROIDS} k-means centroids of them": torch.from_numpy(centroids),
        f"{len(decoded):,} samples of an autoencoder": decoded,
        "noise, by pixel as the training images": noise.clamp(0, 1),
    }


def main() -> None:
    """Print a row for each set."""
    data = prepare("mnist5k", CACHE)
    train, test = ((to_tensor(split.examples).flatten(1) + 1) / 2 for split in (data.train, data.test))
    path = train_once("vae", VaeConfig().model_dump(mode="json"), ROUNDS, "mnist5k", CACHE)
    vae = load_export(path, CACHE, torch.device("cpu"))
    assert isinstance(vae, Samples)
    decoded = (vae.sample(SAMPLES, torch.Generator().manual_seed(0)).flatten(1) + 1) / 2
    table = Table("taken for samples", "nats", "standard error", "bandwidth", box=SIMPLE)
    for name, samples in sets(train[:-VALIDATION], decoded).items():
        found = parzen_log_likelihood(samples, train[-VALIDATION:], test, PUBLISHED_BANDWIDTHS)
        table.add_row(name, *map("{:.3g}".format, (found.log_likelihood, found.standard_error, found.bandwidth)))
    Console().print(table)


if __name__ == "__main__":
    main()

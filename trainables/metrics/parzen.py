"""The log-likelihood of test images under a Parzen window estimate made of samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.metrics.distances import squared_distances

CHUNK = 512
"""Number of images whose distances to all samples are in memory at once."""

BANDWIDTHS = tuple(10 ** (exponent / 10) for exponent in range(-20, 6))
"""The bandwidths that are tried, for pixels in [0, 1]: from 0.01 to 3.2."""

PUBLISHED_BANDWIDTHS = tuple(10 ** (exponent / 9) for exponent in range(-9, 1))
"""Those of Goodfellow et al. 2014, for pixels in [0, 1]: ten from 0.1 to 1."""


@dataclass(frozen=True)
class ParzenEstimate:
    """Mean log-likelihood of the test images, in nats, its standard error, and the bandwidth that was chosen."""

    log_likelihood: float
    standard_error: float
    bandwidth: float


def parzen_log_likelihood(
    samples: Tensor, validation: Tensor, test: Tensor, bandwidths: tuple[float, ...] = BANDWIDTHS
) -> ParzenEstimate:
    """Fit a window to `samples` and evaluate it at `test`, as Goodfellow et al. 2014 do (arXiv:1406.2661, section 5).

    The density is the mean of normal distributions around the samples. Their standard deviation is the one of
    `bandwidths` under which `validation` is most likely. All images have one shape, `(n, ...)`. Compare numbers of one
    range of pixels only; published ones are of [0, 1].

    Raises `ValueError` for images of different shapes, fewer than two test images, and values that are not finite.
    """
    samples, validation, test = (images.flatten(1).double() for images in (samples, validation, test))
    if not samples.shape[1] == validation.shape[1] == test.shape[1]:
        raise ValueError("samples, validation and test images must have one shape.")
    if not len(samples) or not len(validation) or len(test) < 2:
        raise ValueError("a sample, a validation image and two test images are needed at least.")
    if not all(images.isfinite().all() for images in (samples, validation, test)):
        raise ValueError("images contain NaN or infinity.")
    likelihoods = _log_likelihoods(samples, validation, bandwidths).mean(dim=1)
    bandwidth = bandwidths[int(likelihoods.argmax())]
    of_test = _log_likelihoods(samples, test, (bandwidth,))[0]
    return ParzenEstimate(of_test.mean().item(), of_test.std().item() / math.sqrt(len(test)), bandwidth)


def _log_likelihoods(samples: Tensor, images: Tensor, bandwidths: tuple[float, ...]) -> Tensor:
    """The log-likelihood of each image under each bandwidth: `(bandwidths, images)`."""
    n, dimensions = samples.shape
    found = []
    for chunk in images.split(CHUNK):
        squares = squared_distances(chunk, samples)
        found.append(torch.stack([(-squares / (2 * width**2)).logsumexp(dim=1) for width in bandwidths]))
    log_widths = torch.tensor([math.log(width) for width in bandwidths], dtype=torch.float64, device=samples.device)
    normalisation = math.log(n) + dimensions * (log_widths + math.log(2 * math.pi) / 2)
    return torch.cat(found, dim=1) - normalisation[:, None]

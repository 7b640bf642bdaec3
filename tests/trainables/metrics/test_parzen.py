from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.neighbors import KernelDensity

from trainables.metrics import parzen
from trainables.metrics.parzen import BANDWIDTHS, parzen_log_likelihood


def images(n: int, seed: int, scale: float = 0.2) -> torch.Tensor:
    return 0.5 + scale * torch.randn(n, 1, 3, 4, generator=torch.Generator().manual_seed(seed))


def test_agrees_with_scikit_learn_at_the_bandwidth_that_the_validation_images_choose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parzen, "CHUNK", 30)
    samples, validation, test = images(200, 0), images(70, 1), images(90, 2)
    found = parzen_log_likelihood(samples, validation, test)

    def oracle(bandwidth: float, of: torch.Tensor) -> np.ndarray:
        density = KernelDensity(bandwidth=bandwidth, rtol=1e-12).fit(samples.flatten(1).double())
        return density.score_samples(of.flatten(1).double())

    assert found.bandwidth == max(BANDWIDTHS, key=lambda bandwidth: oracle(bandwidth, validation).mean())
    of_test = oracle(found.bandwidth, test)
    assert found.log_likelihood == pytest.approx(of_test.mean(), rel=1e-9)
    assert found.standard_error == pytest.approx(of_test.std(ddof=1) / math.sqrt(90), rel=1e-9)


def test_better_samples_make_the_test_images_more_likely() -> None:
    good, wide = (parzen_log_likelihood(images(300, 0, s), images(100, 1), images(100, 2)) for s in (0.2, 2.0))
    assert good.log_likelihood > wide.log_likelihood + 3 * good.standard_error


@pytest.mark.parametrize(
    ("samples", "test", "message"),
    [
        (torch.zeros(3, 4), torch.zeros(5, 5), "one shape"),
        (torch.zeros(3, 4), torch.zeros(1, 4), "two test images"),
        (torch.full((3, 4), torch.nan), torch.zeros(5, 4), "NaN"),
    ],
)
def test_refuses_other_images(samples: torch.Tensor, test: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parzen_log_likelihood(samples, torch.zeros(5, 4), test)

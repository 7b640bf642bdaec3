"""How uncertain the members of an ensemble are of a class, in nats.

`probabilities` `(M, n, K)` are the class probabilities of each of `M` members for `n` images.
"""

from __future__ import annotations

import torch
from torch import Tensor


def predictive_entropy(probabilities: Tensor) -> Tensor:
    """The entropy of the mean probabilities, `(n,)`, in `[0, log K]`: the whole uncertainty."""
    return torch.special.entr(probabilities.mean(0)).sum(1)


def mutual_information(probabilities: Tensor) -> Tensor:
    """The entropy of the mean minus the mean of the entropies, `(n,)`: how much the members disagree.

    It is in `[0, log M]`, and 0 where all members say the same.
    """
    entropies = torch.special.entr(probabilities).sum(2)
    return (predictive_entropy(probabilities) - entropies.mean(0)).clamp(min=0.0)

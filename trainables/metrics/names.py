"""How metrics are named, and which way each is better.

A name is `<family>[_<what it was measured with>][_best|_low|_high]`: `fid_lenet_best`, `auroc_photo_patches_low`.
Numbers of different feature extractors or out-of-distribution sets never share a name.
"""

from __future__ import annotations

from typing import Literal

from trainables.errors import lookup

Direction = Literal["minimize", "maximize"]

BOUNDS = ("_low", "_high")
"""What ends the names of a confidence interval's ends. They have no `_best` of their own."""

DIRECTIONS: dict[str, Direction] = {
    "accuracy": "maximize",
    "aupr": "maximize",
    "auroc": "maximize",
    "boundary": "maximize",
    "copying": "minimize",
    "coverage": "maximize",
    "density": "maximize",
    "distance": "minimize",
    "duplicates": "minimize",
    "energy": "minimize",
    "entropy": "maximize",
    "fid": "minimize",
    "fpr95": "minimize",
    "inside": "maximize",
    "is": "maximize",
    "kid": "minimize",
    "modes": "maximize",
    "mse": "minimize",
    "precision": "maximize",
    "psnr": "maximize",
    "recall": "maximize",
    "ssim": "maximize",
}


def direction(metric_name: str) -> Direction:
    """Whether a study minimizes or maximizes the metric `metric_name`, which its family decides.

    Raises `InputError` with the nearest names if no family in `DIRECTIONS` is meant.
    """
    family = metric_name.partition("_")[0]
    return lookup("metric family", family, DIRECTIONS)

"""The picture of restored images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from trainables.data.tensors import to_uint8
from trainables.metrics.restoration import psnr_per_image


def save_restorations(originals: Tensor, by_row: Mapping[str, Tensor], path: Path) -> None:
    """A row of originals `(n, C, H, W)` in [-1, 1], then a row for each name, with the PSNR in dB under each image.

    Images of another size than the originals have no PSNR.
    """
    from matplotlib.figure import Figure  # imported late: a driver, which draws nothing, starts without it

    rows = {"original": originals, **by_row}
    height, width = len(rows), len(originals)
    figure = Figure(figsize=(1.0 * width + 1.2, 1.2 * height))
    axes = figure.subplots(height, width, squeeze=False)
    for i, (name, images) in enumerate(rows.items()):
        comparable = images.shape == originals.shape and i > 0
        ratios = psnr_per_image(images, originals) if comparable else None
        for j, pixels in enumerate(to_uint8(images).transpose(0, 2, 3, 1)):
            panel = axes[i, j]
            panel.imshow(pixels.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            panel.set(xticks=[], yticks=[])
            for spine in panel.spines.values():
                spine.set_visible(False)
            if ratios is not None:
                panel.set_xlabel(f"{ratios[j]:.1f}", fontsize=7, labelpad=1)
        axes[i, 0].set_ylabel(name.replace("_", "\n"), fontsize=8, rotation=0, ha="right", va="center")
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=100)

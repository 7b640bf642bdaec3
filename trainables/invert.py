"""python -m trainables.invert --from STUDY --images PATH: the latents of given images, and what they restore."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from trainables.command_line import run
from trainables.data.degradations import Degradation, Hole, identity
from trainables.data.image_sets import read_image_set
from trainables.data.tensors import to_tensor, to_uint8
from trainables.errors import InputError
from trainables.export import find_export, load_export
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
from trainables.measures.restoration_figure import save_restorations
from trainables.methods.abilities import Generates
from trainables.metrics.restoration import psnr, psnr_per_image, psnr_pooled
from trainables.options import Option

SHOWN = 8
"""Images in the picture."""


@dataclass(frozen=True)
class InvertConfig:
    """Search the latents of images, whole ones or damaged ones; the same seed gives the same files.

    Writes to --out: restored.npy (uint8), latents.npy, numbers.json and restored.png.
    """

    from_: Annotated[Path, Option(name="from")]
    """An exported file, the folder of a trial or a study, or the name of a study, of a method with a generator."""
    images: Path
    """A folder of images, or a .npy or .npz file (n, C, H, W), uint8 or floats in [-1, 1], of the generator's size."""
    mask: int = 0
    """The side of a square in the middle that is unknown; 0: none. The rest of each image is kept."""
    noise: float = 0.0
    """Add normal noise of this deviation to the images first, in units of a pixel's range."""
    loss: SearchLoss = "l2"
    """The error that is minimised: squared (l2) or absolute (l1)."""
    lr: float = 0.1
    """The learning rate of Adam, which changes the latents."""
    iterations: int = 300
    """Steps of Adam from each start."""
    restarts: int = 3
    """Random starts, the same for all images; the best is kept."""
    prior_weight: float = 0.0
    """The weight of the latent's squared norm, in units of the loss, a mean over values."""
    seed: int = 0
    """Seeds the starts and the noise."""
    out: Path = Path("inverted")
    """A folder, which is made."""
    storage_dir: Path = Path("outputs")
    """Where `study.launch` keeps studies and data sets."""

    def check(self) -> None:
        """Raise `InputError` for numbers that make no sense."""
        if self.mask < 0 or self.noise < 0 or self.prior_weight < 0 or self.seed < 0:
            raise InputError("--mask, --noise, --prior-weight and --seed must be at least 0.")
        if self.lr <= 0 or self.iterations < 1 or self.restarts < 1:
            raise InputError("--lr must be above 0, --iterations and --restarts at least 1.")

    def search(self) -> SearchSettings:
        """How latents are searched."""
        return SearchSettings(self.loss, self.lr, self.iterations, self.prior_weight)


def restore_images(config: InvertConfig) -> dict[str, Any]:
    """Write the files; returns the numbers. Raises `InputError` before anything is written."""
    config.check()
    exported = find_export(config.from_, config.storage_dir)
    originals = to_tensor(read_image_set(config.images)).float()
    method = load_export(exported, config.storage_dir / "cache", torch.device("cpu"))
    if not isinstance(method, Generates):
        raise InputError(f"{exported} holds a method without a generator of latents: name a GAN or a VAE.")
    if originals.shape[1:] != method.dataset.shape:
        raise InputError(
            f"the images of {config.images} are {_size(originals.shape[1:])}, and the generator makes "
            f"{_size(method.dataset.shape)}: resize them."
        )
    damage = Degradation(Hole(config.mask) if config.mask else identity, config.noise)
    damage.check(tuple(originals.shape[1:]))
    rng = torch.Generator().manual_seed(config.seed)
    observed = damage(originals, rng)
    starts = method.draw_latents(config.restarts, rng)
    found = invert(method, observed, starts, config.search(), damage.operator)
    restored = found.images.clamp(-1, 1)
    if config.mask:
        kept = Hole(config.mask).mask(*originals.shape[2:])
        restored = torch.where(kept, observed.clamp(-1, 1), restored)
    numbers = {"weights": str(exported), **_numbers(originals, observed, restored, found, config)}
    _write(config.out, originals, observed, restored, found.latents, numbers)
    return numbers


def _numbers(
    originals: Tensor, observed: Tensor, restored: Tensor, found: Inverted, config: InvertConfig
) -> dict[str, Any]:
    errors = pixel_errors(found.images, originals)
    numbers: dict[str, Any] = {
        "images": len(originals),
        "mse_of_generated": errors.mean().item(),
        "share_found": (errors < FOUND).float().mean().item(),
        "psnr_observed": psnr(observed.clamp(-1, 1), originals),
        "psnr_restored": psnr(restored, originals),
        "latent_norm": relative_norm(found.latents),
        "spread_of_restarts": spread(found.losses),
    }
    if config.mask:
        inside = (..., *Hole(config.mask).place(*originals.shape[2:]))
        numbers["psnr_in_hole"] = psnr_pooled(restored[inside], originals[inside])
    numbers["psnr_of_each"] = psnr_per_image(restored, originals).tolist()
    return numbers


def _write(
    out: Path, originals: Tensor, observed: Tensor, restored: Tensor, latents: Tensor, numbers: dict[str, Any]
) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        np.save(out / "restored.npy", to_uint8(restored))
        np.save(out / "latents.npy", latents.numpy())
        (out / "numbers.json").write_text(json.dumps(numbers, indent=2))
        rows = {"observed": observed[:SHOWN], "restored": restored[:SHOWN]}
        save_restorations(originals[:SHOWN], rows, out / "restored.png")
    except OSError as error:
        raise InputError(f"cannot write to {out}: {error.strerror}.") from error


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[2]} with {shape[0]} channel{'s' if shape[0] > 1 else ''}"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, or 2 for bad input."""

    def action(config: InvertConfig) -> int:
        numbers = restore_images(config)
        print(
            f"wrote {config.out}: {numbers['images']} images, mean PSNR {numbers['psnr_observed']:.1f} dB before and "
            f"{numbers['psnr_restored']:.1f} dB after; {numbers['share_found']:.0%} of them were found"
        )
        return 0

    return run(InvertConfig, "python -m trainables.invert", action, arguments)


if __name__ == "__main__":
    sys.exit(main())

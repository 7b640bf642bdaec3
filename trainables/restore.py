"""python -m trainables.restore --from STUDY --images PATH: restore your own degraded images."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from PIL import Image

from trainables.command_line import run
from trainables.data.degradations import TASKS, RandomMeasurements
from trainables.data.image_sets import read_image_set
from trainables.data.tensors import to_tensor, to_uint8
from trainables.errors import InputError
from trainables.export import find_export, load_export
from trainables.methods.abilities import Restores
from trainables.options import Option


@dataclass(frozen=True)
class RestoreConfig:
    """Restore images with exported weights. Writes 0000.png, 0001.png, ... in the order of the images."""

    from_: Annotated[Path, Option(name="from")]
    """An exported file, the folder of a trial or a study, or the name of a study, of a method that restores."""
    images: Path
    """A folder of degraded images, or a .npy or .npz file (n, C, h, w), uint8 or floats in [-1, 1]."""
    out: Path = Path("restored")
    """A folder, which is made."""
    storage_dir: Path = Path("outputs")
    """Where `study.launch` keeps studies and data sets."""


def restore(config: RestoreConfig) -> tuple[int, str]:
    """Write the restored images; returns their number and the task. Raises `InputError` before anything is written."""
    exported = find_export(config.from_, config.storage_dir)
    degraded = to_tensor(read_image_set(config.images)).float()
    method = load_export(exported, config.storage_dir / "cache", torch.device("cpu"))
    task = getattr(method, "task", None)
    if not isinstance(method, Restores) or task not in TASKS:
        raise InputError(
            f"{exported} holds a method that restores no images: name a study of space 'restoration', or 'inversion'."
        )
    if isinstance(TASKS[task].operator, RandomMeasurements):
        raise InputError(f"{exported} restores images from random measurements, not from images: name another trial.")
    channels, height, width = method.dataset.shape
    factor = TASKS[task].factor
    expected = (channels, height // factor, width // factor)
    if degraded.shape[1:] != expected:
        raise InputError(
            f"the images of {config.images} have the shape {tuple(degraded.shape[1:])}, and these weights restore "
            f"images of {expected} (channels, height, width): resize them."
        )
    restored = to_uint8(method.restore(degraded))
    try:
        config.out.mkdir(parents=True, exist_ok=True)
        for i, image in enumerate(restored):
            Image.fromarray(np.moveaxis(image, 0, 2).squeeze()).save(config.out / f"{i:04d}.png")
    except OSError as error:
        raise InputError(f"cannot write to {config.out}: {error.strerror}.") from error
    return len(restored), task


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, or 2 for bad input."""

    def action(config: RestoreConfig) -> int:
        count, task = restore(config)
        print(f"wrote {config.out}: {count} restored images (task {task})")
        return 0

    return run(RestoreConfig, "python -m trainables.restore", action, arguments)


if __name__ == "__main__":
    sys.exit(main())

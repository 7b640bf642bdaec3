"""python -m trainables.sample --from STUDY --num 64: new images from the best weights of a study or a trial."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch

from trainables.command_line import run
from trainables.data.tensors import to_uint8
from trainables.devices import device_of
from trainables.errors import InputError
from trainables.export import find_export, load_export
from trainables.measures.image_figures import save_sample_grid
from trainables.methods.abilities import Samples
from trainables.options import Option
from trainables.registry import look_in


@dataclass(frozen=True)
class SampleConfig:
    """Sample from exported weights; the same seed gives the same file."""

    from_: Annotated[Path, Option(name="from")]
    """An exported file, the folder of a trial or a study, or the name of a study."""
    num: int = 64
    """How many images."""
    seed: int = 0
    """Seeds the noise that the images are made of."""
    out: Path = Path("samples.png")
    """A grid as .png, or a uint8 array (num, channels, height, width) as .npy; points only as .npy, float32."""
    gpu: bool = False
    """Compute on the GPU instead of the CPU."""
    storage_dir: Path = Path("outputs")
    """Where `study.launch` keeps studies and data sets."""

    def check(self) -> None:
        """Raise `InputError` for what would fail only after the images are made."""
        if self.num < 1 or self.seed < 0:
            raise InputError("--num must be at least 1 and --seed at least 0.")
        if self.out.suffix not in (".png", ".npy"):
            raise InputError(f"--out must end in .png or .npy, not {self.out.name!r}.")
        if not self.out.parent.is_dir():
            raise InputError(f"the folder of --out does not exist: {self.out.parent}.")


def sample(config: SampleConfig) -> Path:
    """Write the images; return the exported file that they come from. Raises `InputError`."""
    config.check()
    exported = find_export(config.from_, config.storage_dir)
    device = device_of(config.gpu)
    for folder in exported.absolute().parents[:4]:  # a method from outside is in its study's folder
        if (folder / "outside").is_dir():
            look_in(str(folder / "outside"))
    method = load_export(exported, config.storage_dir / "cache", device)
    if not isinstance(method, Samples):
        raise InputError(f"{exported} holds a method that does not make samples: name another study.")
    images = method.sample(config.num, torch.Generator().manual_seed(config.seed))
    of_points = images.dim() == 2
    if of_points and config.out.suffix != ".npy":
        raise InputError(f"{exported} makes points, of which there is no grid: choose an --out that ends in .npy.")
    try:
        if config.out.suffix == ".npy":
            np.save(config.out, images.numpy(force=True) if of_points else to_uint8(images))
        else:
            save_sample_grid(images, config.out)
    except OSError as error:
        raise InputError(f"cannot write {config.out}: {error.strerror}.") from error
    return exported


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, or 2 for bad input."""

    def action(config: SampleConfig) -> int:
        exported = sample(config)
        print(f"wrote {config.out}: {config.num} images from {exported}")
        return 0

    return run(SampleConfig, "python -m trainables.sample", action, arguments)


if __name__ == "__main__":
    sys.exit(main())

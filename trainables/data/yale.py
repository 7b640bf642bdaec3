"""The cropped images of the Extended Yale Face Database B: Georghiades et al. (2001), Lee et al. (2005)."""

from __future__ import annotations

import os
from pathlib import Path

from trainables.data.dataset import Split
from trainables.data.image_files import fingerprint, load_files
from trainables.errors import InputError

SHAPE = (1, 32, 32)
"""[Yesilcimen 2022] has 32x32 gray faces "taken in different illumination conditions" (section 4.2.2)."""


def yale_faces(downloads: Path) -> tuple[Split, Split]:
    """The faces, 192x168 pixels in the published files, resized to 32x32. Each person is a class, in order of number.

    They are all `yaleB*.pgm` in or below the folder that `YALE_FACES_DIR` names, or else `CroppedYale` in the
    downloads, except the images of ambient light, which are not cropped. They cannot be downloaded automatically.
    Raises `InputError` if there are none.
    """
    from trainables.data.conform import conform  # imports torch

    folder = _folder(downloads)
    paths = _faces(folder)
    if not paths:
        raise InputError(
            f"the Yale faces are not in {folder}: unpack CroppedYale.zip of the Extended Yale Face Database B, with "
            "its folders yaleB01 to yaleB39, there or set YALE_FACES_DIR to their folder."
        )
    people = [path.name.partition("_")[0] for path in paths]
    return load_files(paths, people, downloads, lambda image: conform(image, SHAPE))


def has_yale_faces(downloads: Path) -> bool:
    """Whether there are any files."""
    return bool(_faces(_folder(downloads)))


def yale_fingerprint(downloads: Path) -> str | None:
    """`fingerprint` of the files; None if there are none."""
    paths = _faces(_folder(downloads))
    return fingerprint(paths) if paths else None


def _folder(downloads: Path) -> Path:
    chosen = os.environ.get("YALE_FACES_DIR")
    return Path(chosen) if chosen else downloads / "CroppedYale"


def _faces(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("yaleB*.pgm") if "_Ambient" not in path.name)

"""Image files as a data set: one size, gray or RGB, a fifth of each class for testing."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.data.dataset import Split
from trainables.data.splitting import split_indices
from trainables.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

GRAY_MODES = ("1", "L", "LA")
RGB_MODES = ("P", "RGB", "RGBA", "CMYK", "YCbCr")
"""Pillow's modes with at most 8 bits a channel, of files without transparent pixels."""
CONVERTED = ("CMYK", "YCbCr")
"""Modes whose colours change a little when they become RGB."""
ORIENTATION = 0x0112
"""The tag of EXIF that says how a camera was held; 1 is upright."""
UPRIGHT, TURNED = 1, range(2, 9)

LEAST_OF_A_CLASS = 5
"""A class must have so many images, so that a fifth of them is at least one."""

Adapt = Callable[[np.ndarray], np.ndarray]


def load_files(
    paths: Sequence[Path], classes: Sequence[str] | None, scratch: Path, adapt: Adapt = lambda image: image
) -> tuple[Split, Split]:
    """The images in `paths`, in two splits; `classes` are their classes, labelled in alphabetical order.

    A fifth of each class is for testing (`split_indices`). The images are read by `read_images`. Raises `InputError`
    if a class, or the whole set if there are no classes, has fewer than `LEAST_OF_A_CLASS` images.
    """
    labels = None
    if classes is None:
        _check_enough(str(paths[0].parent), len(paths))
    else:
        names, first, labels, counts = np.unique(classes, return_index=True, return_inverse=True, return_counts=True)
        for name, index, count in zip(names, first, counts, strict=True):
            _check_enough(f"class {str(name)!r} in {paths[index].parent}", count)
    parts = split_indices(len(paths), labels)
    images = read_images([[paths[index] for index in part] for part in parts], scratch, adapt)
    train, test = (
        Split(pixels, None if labels is None else labels[part].astype(np.int64))
        for pixels, part in zip(images, parts, strict=True)
    )
    return train, test


def read_images(parts: Sequence[Sequence[Path]], scratch: Path, adapt: Adapt = lambda image: image) -> list[np.ndarray]:
    """The images of each part, `(N, C, H, W)`, uint8: gray if all files of all parts are gray, RGB otherwise.

    Photographs are turned upright, as viewers show them. `adapt` changes one image `(1, C, H, W)`, for example its
    size. The arrays are memory-mapped, from unnamed files in the folder `scratch`, which vanish with the arrays.

    Raises `InputError` for a file that cannot be read as it is meant (damaged, transparent, with more than 8 bits a
    channel or more than one page), or has another size than the first file by name.
    """
    mode = _common_mode(sorted(path for part in parts for path in part))
    scratch.mkdir(parents=True, exist_ok=True)
    return [_read(part, mode, scratch, adapt) for part in parts]


def fingerprint(paths: Iterable[Path]) -> str:
    """A hash of paths, sizes and times of last change. It changes if files are added, changed or removed."""
    digest = hashlib.sha256()
    for path in paths:
        status = path.stat()
        digest.update(os.fsencode(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0"))
    return digest.hexdigest()


def _check_enough(what: str, count: int) -> None:
    if count < LEAST_OF_A_CLASS:
        raise InputError(
            f"{what} has {count} images: at least {LEAST_OF_A_CLASS} are needed, a fifth is for testing. Add some."
        )


def _common_mode(paths: Sequence[Path]) -> str:
    """Read only the headers, so that a file that does not fit is reported before all files are decoded."""
    mode, size = "L", None
    converted: dict[str, Path] = {}
    turned: list[Path] = []
    for path in paths:
        with _opened(path) as image:
            if image.mode not in GRAY_MODES + RGB_MODES:
                raise InputError(f"{path} has pixels of type {image.mode!r}: convert it to 8 bits, gray or RGB.")
            _check_faithful(image, path)
            if image.mode in CONVERTED:
                converted.setdefault(image.mode, path)
            if _orientation(image) != UPRIGHT:
                turned.append(path)
            upright = _upright_size(image)
            size = size or upright
            if upright != size:
                raise InputError(
                    f"{paths[0]} has {_pixels(size)} pixels but {path} has {_pixels(upright)}: "
                    "give all images one size."
                )
            if image.mode in RGB_MODES:
                mode = "RGB"
    for kind, path in converted.items():
        warnings.warn(f"images of type {kind}, such as {path}, are converted to RGB.", stacklevel=2)
    if turned:
        warnings.warn(
            f"{len(turned)} images, such as {turned[0]}, are turned or mirrored as their EXIF orientation says.",
            stacklevel=2,
        )
    return mode


def _check_faithful(image: Image, path: Path) -> None:
    """Raise `InputError` for what Pillow would read only in part: more than 8 bits of a colour, further pages."""
    if _bits(image) > 8:
        raise InputError(f"{path} has more than 8 bits a channel: convert it to 8 bits, gray or RGB.")
    pages = getattr(image, "n_frames", 1)
    if pages > 1 and image.format != "MPO":  # a photograph with its preview
        raise InputError(f"{path} has {pages} pages or frames: save each as a file of its own.")


def _bits(image: Image) -> int:
    """Bits a channel in the file: Pillow opens colours of 16 bits as if they had 8."""
    if image.format == "TIFF":
        return max(image.tag_v2.get(258, (1,)))  # type: ignore[attr-defined]
    tiles: list[Any] = getattr(image, "tile", [])  # those of a file that has not been read yet
    arguments = [each for tile in tiles for each in (tile[3] if isinstance(tile[3], tuple) else (tile[3],))]
    if image.format == "PPM":
        return max((each.bit_length() for each in arguments if isinstance(each, int)), default=8)
    if image.format == "PNG":
        return 16 if any(isinstance(each, str) and ";16" in each for each in arguments) else 8
    return 8


def _orientation(image: Image) -> int:
    """What EXIF says in the file's header; `UPRIGHT` where there is none that can be read, as in viewers."""
    if image.format == "PNG" and "exif" not in image.info:
        return UPRIGHT  # Pillow would decode the image to look behind it
    try:
        said = image.getexif().get(ORIENTATION)
    except Exception:  # Pillow parses what any camera or editor has written
        return UPRIGHT
    return said if isinstance(said, int) and said in TURNED else UPRIGHT


def _upright_size(image: Image) -> tuple[int, int]:
    """Width and height after `_upright`; Pillow gives those of TIFF files."""
    width, height = image.size
    return (height, width) if image.format != "TIFF" and 5 <= _orientation(image) <= 8 else (width, height)


def _upright(image: Image) -> Image:
    """The image as a viewer shows it."""
    import PIL.ImageOps

    image.load()
    return image if _orientation(image) == UPRIGHT else PIL.ImageOps.exif_transpose(image)


def _opaque(image: Image, path: Path) -> Image:
    """`image`; raises `InputError` where a part of it is transparent, because nothing says what is behind it."""
    if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
        raise InputError(
            f"{path} is transparent in places, where its colours are not what is seen: "
            "put it on a background and save it without transparency."
        )
    return image


def _read(paths: Sequence[Path], mode: str, scratch: Path, adapt: Adapt) -> np.ndarray:
    shape: tuple[int, ...] = ()
    # Written as a file: writing through a memory map to a full disk would kill the process, not raise OSError.
    with TemporaryFile(dir=scratch) as file:
        for path in paths:
            with _opened(path) as image:
                pixels = np.asarray(_upright(_opaque(image, path)).convert(mode))
            pixels = pixels[None, None] if mode == "L" else pixels.transpose(2, 0, 1)[None]
            adapted = adapt(pixels)
            if shape and adapted.shape[1:] != shape:  # the header did not say that the image is to be turned
                raise InputError(f"{path} is turned by EXIF data behind its pixels: save it upright, without EXIF.")
            shape = adapted.shape[1:]
            file.write(adapted.tobytes())
        file.flush()
        return np.memmap(file, np.uint8, "r", shape=(len(paths), *shape))


@contextmanager
def _opened(path: Path) -> Iterator[Image]:
    import PIL.Image

    try:
        with PIL.Image.open(path) as image:
            yield image
    # Pillow raises these when it reads arbitrary bytes.
    except (OSError, SyntaxError, ValueError, EOFError, PIL.Image.DecompressionBombError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "damaged, or not an image"
        raise InputError(f"{path} cannot be read ({reason}): replace or remove it.") from error


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"

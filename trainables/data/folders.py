"""Any folder of images: a sub-folder a class, or images without classes."""

from __future__ import annotations

from pathlib import Path

from trainables.data.dataset import Split
from trainables.data.image_files import fingerprint, load_files
from trainables.errors import InputError

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})


def load_folder(folder: Path, downloads: Path) -> tuple[Split, Split]:
    """The images in the sub-folders of `folder`, whose names are the classes, or the images directly in it, unlabelled.

    Hidden files and files with other suffixes than `SUFFIXES` are left out. Raises `InputError` if there are images
    in neither place or in both, and as `load_files` does.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}: check the path after 'folder:'.")
    paths = list_images(folder)
    unlabelled = [path for path in paths if path.parent == folder]
    if not paths:
        raise InputError(f"neither {folder} nor its sub-folders have images ({', '.join(sorted(SUFFIXES))}).")
    if unlabelled and len(unlabelled) < len(paths):
        raise InputError(
            f"{folder} has images, such as {unlabelled[0].name}, beside sub-folders with images: "
            "put each image into the sub-folder of its class, or all directly into the folder."
        )
    classes = None if unlabelled else [path.parent.name for path in paths]
    return load_files(paths, classes, scratch=downloads)


def folder_fingerprint(folder: Path) -> str | None:
    """`fingerprint` of the images of `folder`; None if the folder is gone: its cache can still be used."""
    return fingerprint(list_images(folder)) if folder.is_dir() else None


def list_images(folder: Path) -> list[Path]:
    """The images in `folder` and in its direct sub-folders, in the order of their paths."""
    found = [*folder.glob("*"), *folder.glob("*/*")]
    return sorted(path for path in found if _is_image(path.relative_to(folder)) and path.is_file())


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in path.parts)

"""The frames of a training: pictures of each evaluation, by name and round, in one folder."""

from __future__ import annotations

from pathlib import Path

FRAMES = "frames"
"""The folder of a training's frames, in its own."""
PATTERN = "{name}-{round_number:08d}.png"
DIGITS = "[0-9]" * 8


def frame_path(folder: Path, name: str, round_number: int) -> Path:
    """Where the frame `name` of the evaluation after `round_number` rounds belongs."""
    return folder / PATTERN.format(name=name, round_number=round_number)


def frames_after(folder: Path, round_number: int) -> dict[str, Path]:
    """The frames of one evaluation, by name."""
    ending = PATTERN.format(name="", round_number=round_number)
    return {path.name.removesuffix(ending): path for path in sorted(folder.glob(f"?*{ending}"))}


def frames_called(folder: Path, name: str) -> list[Path]:
    """The frames of a name, in the order of their rounds."""
    return sorted(folder.glob(f"{name}-{DIGITS}.png"))

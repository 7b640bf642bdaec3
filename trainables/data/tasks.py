"""The names of restoration tasks, apart from what they do (`degradations`), which needs torch."""

from __future__ import annotations

from typing import Literal, get_args

ImageTask = Literal["x2", "x4", "noise0.1", "noise0.2", "blur", "hole"]
"""Super-resolution by a factor, denoising, deblurring, inpainting: an image is left, from which another one is made."""

Task = Literal[
    ImageTask, "projection", "measured10", "measured25", "measured50", "measured100", "measured200", "measured500"
]
"""Besides: the image itself, for methods that make images of one kind only, and compressed sensing from so many random
measurements."""

IMAGE_TASKS: tuple[ImageTask, ...] = get_args(ImageTask)
TASK_NAMES: tuple[Task, ...] = get_args(Task)

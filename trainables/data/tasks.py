"""The names of restoration tasks, apart from what they do (`degradations`), which needs torch."""

from __future__ import annotations

from typing import Literal, get_args

Task = Literal["x2", "x4", "noise0.1", "noise0.2", "blur", "hole"]
"""Super-resolution by a factor, denoising, deblurring, inpainting."""

TASK_NAMES: tuple[Task, ...] = get_args(Task)

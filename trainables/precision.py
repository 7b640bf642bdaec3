"""The names of the precisions of training, apart from what they do (`devices`), which needs torch."""

from __future__ import annotations

from typing import Literal

Precision = Literal["fp32", "tf32", "bf16"]
"""How a GPU multiplies in training: float32 as it is, rounded to 10 bits (TensorFloat-32), or in bfloat16."""

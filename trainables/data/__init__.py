"""Data sets by name: prepared once by the driver, memory-mapped by the trials."""

from trainables.data.batches import EpochSampler
from trainables.data.cache import is_at_hand, open_dataset, prepare
from trainables.data.conform import conform
from trainables.data.dataset import Dataset, Split, to_tensor, to_uint8
from trainables.data.points import POINT_SETS, Mixture, Spiral
from trainables.data.sources import PARAMETERISED, SOURCES, file_name, full_name, parent_of, source_of

__all__ = [
    "PARAMETERISED",
    "POINT_SETS",
    "SOURCES",
    "Dataset",
    "EpochSampler",
    "Mixture",
    "Spiral",
    "Split",
    "conform",
    "file_name",
    "full_name",
    "is_at_hand",
    "open_dataset",
    "parent_of",
    "prepare",
    "source_of",
    "to_tensor",
    "to_uint8",
]

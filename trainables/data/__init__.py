"""Data sets by name: prepared once by the driver, memory-mapped by the trials."""

from trainables.data.batches import EpochSampler
from trainables.data.cache import is_at_hand, open_dataset, prepare
from trainables.data.conform import conform
from trainables.data.dataset import Dataset, Split, to_tensor, to_uint8
from trainables.data.sources import SOURCES

__all__ = [
    "SOURCES",
    "Dataset",
    "EpochSampler",
    "Split",
    "conform",
    "is_at_hand",
    "open_dataset",
    "prepare",
    "to_tensor",
    "to_uint8",
]

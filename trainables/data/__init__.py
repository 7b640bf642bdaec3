"""Data sets by name: prepared once by the driver, memory-mapped by the trials."""

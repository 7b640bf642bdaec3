"""Feature extractors: images -> features and class probabilities."""

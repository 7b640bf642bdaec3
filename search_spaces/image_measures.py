"""What the laptop scales of images measure beside the features of the data set's classifier."""

from __future__ import annotations

from trainables.measures.settings import FidelitySettings

BESIDE_CLASSIFIER = FidelitySettings(num_samples=512, features="efficientnet", beside_another=True)
"""It sees noise, to which the classifier is blind (docs/metrics.md). 1,024 images would take one core 2.7 s, and so
more than a third of a trial; 512 take it 1.1 s."""

"""The classifier behind the `_lenet` metrics."""

from __future__ import annotations

from torch import Tensor, nn

LARGEST_PLANE = 16
"""The side of what the convolutions hand on, at most."""


class LeNet(nn.Module):
    """Two 5x5 convolutions, each with ReLU and 2x2 max pooling, and two linear layers with dropout 0.5.

    It is the MNIST classifier of [Yamazaki 2017] (appendix B, table B.1). Its hidden layer has
    `num_features = min(1024, flattened size)` units: the document's 1024 from 16x16 images on, fewer for
    smaller ones (256 for 8x8). For 1x28x28 and 10 classes there are 3,274,634 parameters. What the convolutions make of
    images larger than 64x64 is averaged down to 16x16, so the hidden layer has never more than 17 million.

    Images are `(n, C, H, W)` in [-1, 1]. Raises `ValueError` if `shape` is smaller than 4x4.
    """

    def __init__(self, shape: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        if min(height, width) < 4:
            raise ValueError(f"images of {height}x{width} cannot be pooled twice: 4x4 is the least.")
        pooled = (min(height // 4, LARGEST_PLANE), min(width // 4, LARGEST_PLANE))
        flattened = 64 * pooled[0] * pooled[1]
        is_large = pooled != (height // 4, width // 4)
        self.num_features = min(1024, flattened)
        self.hidden = nn.Sequential(
            nn.Conv2d(channels, 32, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Sequential(nn.AdaptiveAvgPool2d(pooled), nn.Flatten()) if is_large else nn.Flatten(),
            nn.Linear(flattened, self.num_features),
            nn.ReLU(),
        )
        self.output = nn.Sequential(nn.Dropout(0.5), nn.Linear(self.num_features, num_classes))

    def features(self, x: Tensor) -> Tensor:
        """The hidden layer after its ReLU: `(n, num_features)`, >= 0."""
        return self.hidden(x)

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(n, num_classes)`."""
        return self.output(self.features(x))

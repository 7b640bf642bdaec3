"""What the discriminators of GANs have in common: a last hidden layer, and an output that may see the whole batch."""

from __future__ import annotations

from torch import Tensor, nn

from trainables.networks.minibatch import MinibatchDiscrimination


class Discriminator(nn.Module):
    """Data `(B, *shape)` to logits `(B,)`. The last two of `layers` are the linear output and a flattening."""

    layers: nn.Sequential

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)

    def features(self, x: Tensor) -> Tensor:
        """The last hidden layer `(B, d)`, after its activation."""
        return self.layers[:-2](x)

    def compare_within_batches(self, kernels: int, dims: int) -> None:
        """Put minibatch discrimination before the output, whose weights are new."""
        width = next(layer for layer in self.layers[-2].modules() if isinstance(layer, nn.Linear)).in_features
        minibatch = MinibatchDiscrimination(width, kernels, dims)
        self.layers[-2] = nn.Sequential(minibatch, nn.Linear(width + kernels, 1))

    @property
    def minibatch(self) -> MinibatchDiscrimination | None:
        """Minibatch discrimination, if it has been put before the output."""
        output = self.layers[-2]
        first = output[0] if isinstance(output, nn.Sequential) else None
        return first if isinstance(first, MinibatchDiscrimination) else None

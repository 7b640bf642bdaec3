"""What is done to an image before it is to be restored: a linear operator, then noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from trainables.data.tasks import Task
from trainables.errors import InputError

Operator = Callable[[Tensor], Tensor]
"""A linear function of images `(n, C, H, W)`, of each image alone."""


def _kept(make: Callable[..., Tensor], like: Tensor, *sizes: int) -> Tensor:
    """`make(*sizes)` in the type of `like` and on its device, where it stays: a GPU need not wait for it again."""
    return _made(make, like.device, like.dtype, sizes)


@cache
def _made(make: Callable[..., Tensor], device: torch.device, dtype: torch.dtype, sizes: tuple[int, ...]) -> Tensor:
    return make(*sizes).to(device, dtype)


@dataclass(frozen=True)
class BlockMean:
    """Images of `1/factor` the sides: the means of blocks of `factor` x `factor` pixels."""

    factor: int

    def __call__(self, images: Tensor) -> Tensor:
        return F.avg_pool2d(images, self.factor)


@dataclass(frozen=True)
class GaussianBlur:
    """A circular convolution with a normalised Gaussian of `size` x `size` pixels: what leaves one side enters at the
    other, so that the operator is diagonal in Fourier space.
    """

    sigma: float = 1.5
    size: int = 9

    def kernel(self) -> Tensor:
        """`(size, size)`, float64; its sum is 1."""
        distances = torch.arange(self.size, dtype=torch.float64) - self.size // 2
        profile = (-distances.square() / (2 * self.sigma**2)).exp()
        kernel = torch.outer(profile, profile)
        return kernel / kernel.sum()

    def __call__(self, images: Tensor) -> Tensor:
        channels, margin = images.shape[1], self.size // 2
        weights = _kept(self.kernel, images).expand(channels, 1, -1, -1)
        return F.conv2d(F.pad(images, (margin,) * 4, mode="circular"), weights, groups=channels)


@dataclass(frozen=True)
class Hole:
    """A square of `side` x `side` pixels in the middle becomes 0, which is mid-gray."""

    side: int = 8

    def place(self, height: int, width: int) -> tuple[slice, slice]:
        """The rows and the columns of the hole in images of this size."""
        top, left = (height - self.side) // 2, (width - self.side) // 2
        return slice(top, top + self.side), slice(left, left + self.side)

    def mask(self, height: int, width: int) -> Tensor:
        """`(H, W)`: True where the image is kept."""
        mask = torch.ones(height, width, dtype=torch.bool)
        mask[self.place(height, width)] = False
        return mask

    def __call__(self, images: Tensor) -> Tensor:
        return images * _kept(self.mask, images, *images.shape[2:])


@dataclass(frozen=True)
class RandomMeasurements:
    """`count` weighted sums of an image's values, `(n, count)`, for compressed sensing (Bora et al. 2017).

    The weights are `N(0, 1/count)`, drawn once: all images are measured alike.
    """

    count: int

    def matrix(self, values: int) -> Tensor:
        """The weights `(count, values)`, for images of so many values."""
        return _gaussian_matrix(self.count, values)

    def __call__(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        return flat @ _kept(self.matrix, flat, flat.shape[1]).T


@cache
def _gaussian_matrix(count: int, values: int) -> Tensor:
    return torch.randn(count, values, generator=torch.Generator().manual_seed(0)) / count**0.5


def identity(images: Tensor) -> Tensor:
    """The images themselves."""
    return images


@dataclass(frozen=True)
class Degradation:
    """An operator, and the deviation of the normal noise that is added, in units of the range of a pixel.

    Pixels are in [-1, 1], so noise of deviation 0.1 is `0.2 N(0, 1)`. The noise is not clipped.
    """

    operator: Operator
    noise: float = 0.0

    def __call__(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Degrade images `(n, C, H, W)` in [-1, 1], with noise of `rng`."""
        degraded = self.operator(images)
        if self.noise == 0:
            return degraded
        return degraded + 2 * self.noise * torch.randn(degraded.shape, generator=rng, device=rng.device).to(degraded)

    @property
    def keeps_shape(self) -> bool:
        """Whether degraded images have the shape of the originals."""
        return not isinstance(self.operator, BlockMean | RandomMeasurements)

    @property
    def factor(self) -> int:
        """How many times smaller the sides of degraded images are."""
        return self.operator.factor if isinstance(self.operator, BlockMean) else 1

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise `InputError` if images of `shape` `(C, H, W)` cannot be degraded."""
        height, width = shape[1:]
        if height % self.factor or width % self.factor:
            raise InputError(
                f"images of {height}x{width} pixels cannot be made {self.factor} times smaller: "
                f"their sides must be multiples of {self.factor}."
            )
        if isinstance(self.operator, Hole) and self.operator.side >= min(height, width):
            side = self.operator.side
            raise InputError(f"a hole of {side}x{side} pixels covers images of {height}x{width}: use larger images.")
        if isinstance(self.operator, GaussianBlur) and self.operator.size > min(height, width):
            size = self.operator.size
            raise InputError(f"a blur of {size}x{size} pixels is larger than images of {height}x{width}.")


def _measured(count: int) -> Degradation:
    """The noise of all measurements together has the expected norm 0.1."""
    return Degradation(RandomMeasurements(count), 0.1 / count**0.5)


TASKS: dict[Task, Degradation] = {
    "x2": Degradation(BlockMean(2)),
    "x4": Degradation(BlockMean(4)),
    "noise0.1": Degradation(identity, 0.1),
    "noise0.2": Degradation(identity, 0.2),
    "blur": Degradation(GaussianBlur(), 0.003),
    "hole": Degradation(Hole()),
    "projection": Degradation(identity),
    "measured10": _measured(10),
    "measured25": _measured(25),
    "measured50": _measured(50),
    "measured100": _measured(100),
    "measured200": _measured(200),
    "measured500": _measured(500),
}
"""What is to be undone, by name: super-resolution, denoising, deblurring ([Kitov], with the 9x9 kernel and the noise of
his source), inpainting ([Halbreich 2023], question 3), compressed sensing with the noise of Bora et al. 2017."""

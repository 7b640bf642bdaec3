"""The classical methods of each task, with the parameters that each may choose from.

Images are `(C, H, W)`, float64, black 0, white 1; degraded ones may be outside. scikit-image and SciPy are imported
where they are used: trials read restored images from the cache.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from trainables.classical.admm import admm_tv
from trainables.data.degradations import BlockMean, Degradation, GaussianBlur, Hole, RandomMeasurements

Restore = Callable[[np.ndarray, float], np.ndarray]
"""A degraded image, or its measurements `(m,)`, and a parameter to a restored image."""


@dataclass(frozen=True)
class Classical:
    """A method, and the values from which its parameter is chosen on training images; none if it has no parameter."""

    restore: Restore
    parameters: tuple[float, ...] = (0.0,)


def classical_methods(degradation: Degradation, training: np.ndarray) -> dict[str, Classical]:
    """The methods for a degradation, by name, the simplest first; `training` are images `(n, C, H, W)` in [0, 1]."""
    match degradation.operator:
        case BlockMean(factor):
            return {
                name: Classical(partial(_enlarge, factor=factor, order=order))
                for name, order in {"nearest": 0, "bilinear": 1, "bicubic": 3}.items()
            }
        case GaussianBlur() as blur:
            kernel = blur.kernel().numpy()
            return {
                "degraded": Classical(_unchanged),
                "wiener": Classical(partial(_wiener, kernel=kernel), (1e-4, 1e-3, 1e-2)),
                "admm_tv": Classical(lambda image, weight: admm_tv(image, kernel, weight), (1e-5, 1e-4, 5e-4)),
            }
        case Hole() as hole:
            missing = ~hole.mask(*training.shape[2:]).numpy()
            return {
                "degraded": Classical(_unchanged),
                "mean_image": Classical(partial(_fill, missing=missing, choices=training.mean(0, keepdims=True))),
                "nearest_image": Classical(partial(_fill, missing=missing, choices=training)),
                "biharmonic": Classical(partial(_biharmonic, missing=missing)),
            }
        case RandomMeasurements() as measured:
            shape = training.shape[1:]
            matrix = measured.matrix(int(np.prod(shape))).double().numpy()
            return {"lasso": Classical(partial(_lasso, matrix=matrix, shape=shape), (1e-5, 1e-4))}
        case _ if degradation.noise == 0:  # nothing is to be undone: how near are other images?
            return {
                "mean_image": Classical(lambda image, _: training.mean(0)),
                "nearest_image": Classical(partial(_nearest, choices=training)),
            }
        case _:
            noise = degradation.noise
            return {
                "degraded": Classical(_unchanged),
                "median": Classical(_median),
                "total_variation": Classical(_total_variation, (0.3 * noise, 0.5 * noise, 1.0 * noise)),
                "nonlocal_means": Classical(partial(_nonlocal_means, noise=noise), (0.6, 0.8, 1.0)),
            }


def _unchanged(image: np.ndarray, _: float) -> np.ndarray:
    return image


def _enlarge(image: np.ndarray, _: float, factor: int, order: int) -> np.ndarray:
    """Interpolation by splines of this order."""
    from skimage.transform import resize

    channels, height, width = image.shape
    shape = (channels, height * factor, width * factor)
    if order == 0:
        return image.repeat(factor, axis=1).repeat(factor, axis=2)
    return np.stack([resize(c, shape[1:], order=order, mode="edge", anti_aliasing=False) for c in image])


def _median(image: np.ndarray, _: float) -> np.ndarray:
    from scipy.ndimage import median_filter

    return median_filter(image, size=(1, 3, 3))


def _total_variation(image: np.ndarray, weight: float) -> np.ndarray:
    """Chambolle's algorithm (2004)."""
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(image, weight=weight, channel_axis=0)


def _nonlocal_means(image: np.ndarray, strength: float, noise: float) -> np.ndarray:
    """Buades et al. 2005, with a strength in units of the noise's deviation."""
    from skimage.restoration import denoise_nl_means

    settings = {"patch_size": 5, "patch_distance": 6, "h": strength * noise, "sigma": noise, "fast_mode": True}
    if len(image) == 1:  # with a channel axis, a single channel would be dropped
        return denoise_nl_means(image[0], **settings)[None]
    return denoise_nl_means(image, channel_axis=0, **settings)


def _wiener(image: np.ndarray, balance: float, kernel: np.ndarray) -> np.ndarray:
    from skimage.restoration import wiener

    return np.stack([wiener(channel, kernel, balance, clip=False) for channel in image])


def _biharmonic(image: np.ndarray, _: float, missing: np.ndarray) -> np.ndarray:
    from skimage.restoration import inpaint_biharmonic

    return inpaint_biharmonic(image, missing, channel_axis=0)


def _fill(image: np.ndarray, _: float, missing: np.ndarray, choices: np.ndarray) -> np.ndarray:
    """Fill the hole from that of the `choices` `(n, C, H, W)` that is nearest in the pixels around it."""
    distances = np.square((choices - image)[..., ~missing]).sum(axis=(1, 2))
    return np.where(missing, choices[distances.argmin()], image)


def _nearest(image: np.ndarray, _: float, choices: np.ndarray) -> np.ndarray:
    """That of the `choices` `(n, C, H, W)` that is nearest."""
    return choices[np.square(choices - image).sum(axis=(1, 2, 3)).argmin()]


def _lasso(measured: np.ndarray, weight: float, matrix: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Compressed sensing without a generator (Tibshirani 1996): few pixels of an image are not black."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import Lasso

    # Measured were pixels in [-1, 1], of which black ones are not 0, and the result was shifted like a pixel.
    of_brightness = (2 * measured - 1 + matrix.sum(axis=1)) / 2
    with warnings.catch_warnings():
        # With few measurements and a small weight it is not done after 1,000 passes; then a larger weight is better.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = Lasso(alpha=weight, fit_intercept=False).fit(matrix, of_brightness)
    return found.coef_.reshape(shape)

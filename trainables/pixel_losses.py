"""Losses of pixels alone, with their gradients by hand. Images are `(B, C, H, W)`; equations: [Yesilcimen 2022].

Images of several members, `(K, B, C, H, W)`, have a loss each, `(K,)`.

Images are updated thousands of times: autograd would spend as long on these terms as on a small discriminator. Each
function adds `weight` times the gradient of its loss to `gradient`, in place, and returns `weight` times the loss.
"""

from __future__ import annotations

from torch import Tensor

OF_A_BATCH = (-4, -3, -2, -1)


def total_variation(images: Tensor, weight: float, gradient: Tensor) -> Tensor:
    """Sum of squared differences of horizontal and vertical neighbours / (C*H*W*B) (eq. 3.2)."""
    horizontal = images.diff(dim=-1)
    vertical = images.diff(dim=-2)
    share = weight / images.shape[-4:].numel()
    gradient[..., :, 1:].add_(horizontal, alpha=2 * share)
    gradient[..., :, :-1].sub_(horizontal, alpha=2 * share)
    gradient[..., 1:, :].add_(vertical, alpha=2 * share)
    gradient[..., :-1, :].sub_(vertical, alpha=2 * share)
    return share * (horizontal.square_().sum(OF_A_BATCH) + vertical.square_().sum(OF_A_BATCH))


def dataset_statistics(images: Tensor, mean: Tensor, variance: Tensor, weight: float, gradient: Tensor) -> Tensor:
    """Squared distance of the batch's pixel means and variances to the data set's (eq. 3.4).

    `mean` and `variance` are `(C, H, W)`; the sums run over all pixels. Both variances are divided by the number of
    images, not by one less.
    """
    batch_mean = images.mean(-4, keepdim=True)
    centred = images - batch_mean
    mean_error = batch_mean - mean
    variance_error = centred.square().mean(-4, keepdim=True) - variance
    share = weight / images.shape[-4]
    gradient.addcmul_(centred, variance_error, value=4 * share).add_(mean_error, alpha=2 * share)
    return weight * (mean_error.square().sum(OF_A_BATCH) + variance_error.square().sum(OF_A_BATCH))

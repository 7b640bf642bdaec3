"""conform against Pillow's resampling and BT.601 luma computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from trainables.data.conform import CHUNK, conform
from trainables.errors import InputError


def random_images(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_images_of_the_same_shape_are_returned_themselves():
    images = random_images(4, 3, 8, 8)
    assert conform(images, (3, 8, 8)) is images


def test_rgb_becomes_bt601_luma():
    red, green, blue, white, black = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
    images = np.array([red, green, blue, white, black], np.uint8).reshape(5, 3, 1, 1)
    # 255 x 0.299 = 76.2, 255 x 0.587 = 149.7, 255 x 0.114 = 29.1
    assert conform(images, (1, 1, 1)).ravel().tolist() == [76, 150, 29, 255, 0]


def test_gray_becomes_three_equal_channels():
    images = random_images(4, 1, 8, 8)
    np.testing.assert_array_equal(conform(images, (3, 8, 8)), np.concatenate([images] * 3, axis=1))


@pytest.mark.parametrize("size", [(8, 8), (14, 14), (32, 32), (64, 48), (13, 40)])
def test_sizes_are_changed_as_by_pillow(size):
    images = random_images(3, 1, 28, 28)
    height, width = size
    pillow = [Image.fromarray(image[0]).resize((width, height), Image.Resampling.BILINEAR) for image in images]
    # Pillow rounds after each of its two passes, in fixed point.
    np.testing.assert_allclose(
        conform(images, (1, height, width))[:, 0].astype(int), np.stack(pillow).astype(int), atol=1
    )


def test_shrinking_is_antialiased():
    stripes = np.zeros((1, 1, 16, 16), np.uint8)
    stripes[..., ::2] = 255
    shrunk = conform(stripes, (1, 4, 4))[..., 1:-1]
    assert abs(shrunk.astype(int) - 127.5).max() < 3


def test_colour_and_size_change_together():
    flat = np.broadcast_to(np.array([10, 200, 90], np.uint8).reshape(1, 3, 1, 1), (1, 3, 32, 32))
    luma = round(0.299 * 10 + 0.587 * 200 + 0.114 * 90)
    np.testing.assert_array_equal(conform(flat, (1, 8, 8)), np.full((1, 1, 8, 8), luma))
    gray = random_images(2, 1, 28, 28)
    np.testing.assert_array_equal(conform(gray, (3, 8, 8))[:, 2:], conform(gray, (1, 8, 8)))


def test_extreme_levels_survive():
    images = np.where(random_images(8, 3, 9, 9) < 128, 0, 255).astype(np.uint8)
    white = np.full((1, 3, 9, 9), 255, np.uint8)
    assert conform(images, (3, 31, 31)).dtype == np.uint8
    assert (conform(white, (1, 31, 31)) == 255).all()
    assert (conform(white * 0, (1, 4, 4)) == 0).all()


def test_many_images_come_out_as_each_alone_does():
    images = random_images(CHUNK + 5, 3, 4, 4)
    together = conform(images, (1, 6, 6))
    assert together.shape == (CHUNK + 5, 1, 6, 6)
    for index in (0, CHUNK - 1, CHUNK, CHUNK + 4):
        np.testing.assert_array_equal(together[[index]], conform(images[[index]], (1, 6, 6)))


def test_no_images_stay_no_images():
    assert conform(random_images(0, 3, 8, 8), (1, 4, 4)).shape == (0, 1, 4, 4)


@pytest.mark.filterwarnings("error")
def test_read_only_images_are_taken():
    images = random_images(2, 1, 8, 8)
    images.flags.writeable = False
    assert conform(images, (3, 4, 4)).flags.writeable


@pytest.mark.parametrize(("channels", "wanted"), [(2, 3), (4, 1), (3, 2)])
def test_other_channels_are_refused(channels, wanted):
    with pytest.raises(InputError, match=f"{channels} channels cannot be turned into {wanted}"):
        conform(random_images(1, channels, 4, 4), (wanted, 4, 4))

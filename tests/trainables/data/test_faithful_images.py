"""Images that cannot be read as they are meant are refused, by name."""

from __future__ import annotations

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from trainables.data.image_files import read_images
from trainables.errors import InputError

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)


def png_of_16_bits(path, kind):
    """A PNG of 16 bits a channel, by hand: Pillow writes only gray ones."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    rows = b"".join(b"\0" + RNG.integers(0, 256, 8 * channels * 2, dtype=np.uint8).tobytes() for _ in range(8))

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", 8, 8, 16, kind, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def tiff_of_16_bits(path):
    content = RNG.integers(0, 65536, (8, 8, 3), dtype=np.uint16).astype("<u2").tobytes()
    tags = [(256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 3, 0), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 0)]
    tags += [(277, 3, 1, 3), (278, 3, 1, 8), (279, 4, 1, len(content))]
    after = 8 + 2 + 12 * len(tags) + 4
    places = {258: after, 273: after + 6}
    entries = b"".join(struct.pack("<HHII", t, kind, n, places.get(t, value)) for t, kind, n, value in tags)
    path.write_bytes(
        b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + struct.pack("<3H", 16, 16, 16) + content
    )


def ppm_of_16_bits(path):
    path.write_bytes(b"P6 8 8 65535\n" + RNG.integers(0, 256, 8 * 8 * 6, dtype=np.uint8).tobytes())


@pytest.mark.parametrize(
    ("suffix", "write"),
    [(".png", lambda path, kind=kind: png_of_16_bits(path, kind)) for kind in (0, 2, 4, 6)]
    + [(".tif", tiff_of_16_bits), (".ppm", ppm_of_16_bits)],
)
def test_more_than_8_bits(tmp_path, suffix, write):
    path = tmp_path / f"deep{suffix}"
    write(path)
    Image.open(path).load()  # it is a whole image to Pillow
    with pytest.raises(InputError, match=r"deep.* 8 bits, gray or RGB"):
        read_images([[path]], tmp_path)


@pytest.mark.parametrize("suffix", [".tif", ".gif", ".webp", ".png"])
def test_several_pages(tmp_path, suffix):
    path = tmp_path / f"many{suffix}"
    pages = [Image.fromarray(RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(3)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match=r"many.* has 3 pages or frames: save each"):
        read_images([[path]], tmp_path)


@pytest.mark.parametrize(("mode", "suffix"), [("RGBA", ".png"), ("LA", ".png"), ("RGBA", ".webp"), ("RGBA", ".tif")])
def test_transparency(tmp_path, mode, suffix):
    image = Image.fromarray(RGB).convert(mode)
    opaque, clear = tmp_path / f"opaque{suffix}", tmp_path / f"clear{suffix}"
    image.save(opaque, lossless=True)
    pixels = read_images([[opaque]], tmp_path)[0]
    assert np.array_equal(
        pixels[0].transpose(1, 2, 0).squeeze(), np.asarray(image.convert("L" if mode == "LA" else "RGB"))
    )
    alpha = np.full((8, 8), 255, np.uint8)
    alpha[0, 0] = 0
    image.putalpha(Image.fromarray(alpha))
    image.save(clear, lossless=True)
    with pytest.raises(InputError, match=r"clear.* is transparent in places"):
        read_images([[opaque], [clear]], tmp_path)


def test_transparency_of_a_palette(tmp_path):
    Image.fromarray(RGB).quantize(4).save(tmp_path / "p.png", transparency=0)
    with pytest.raises(InputError, match=r"p\.png is transparent in places"):
        read_images([[tmp_path / "p.png"]], tmp_path)


def test_a_conversion_is_said_once(tmp_path):
    paths = [tmp_path / f"{n}.jpg" for n in range(3)]
    for path in paths:
        Image.fromarray(RGB).convert("CMYK").save(path)
    with pytest.warns(UserWarning, match=r"type CMYK, such as .*0\.jpg, are converted") as said:
        read_images([paths], tmp_path)
    assert len(said) == 1


UPRIGHT = np.repeat(np.arange(12, dtype=np.uint8).reshape(3, 4) * 20, 3, axis=1).reshape(3, 4, 3)
AS_STORED = {
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.transpose(1, 0, 2),
    6: np.rot90(UPRIGHT),
    7: np.rot90(UPRIGHT, 2).transpose(1, 0, 2),
    8: np.rot90(UPRIGHT, -1),
}
"""What a camera stores of an upright picture, by the EXIF orientation that it writes (EXIF 2.32, 4.6.4, tag 274)."""


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_photographs_are_turned_upright_and_that_is_said_once(tmp_path, suffix):
    paths = [tmp_path / f"{number}{suffix}" for number in AS_STORED]
    for (number, stored), path in zip(AS_STORED.items(), paths, strict=True):
        exif = Image.Exif()
        exif[274] = number
        Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, lossless=True)
    with pytest.warns(UserWarning, match=r"7 images, such as .*2\..*, are turned or mirrored as .* EXIF") as said:
        pixels = read_images([paths], tmp_path)[0]
    assert len(said) == 1
    assert all(np.array_equal(image.transpose(1, 2, 0), UPRIGHT) for image in pixels)


def test_a_jpeg_with_exif_that_cannot_be_read_is_an_image(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "x.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01")
    assert read_images([[tmp_path / "x.jpg"]], tmp_path)[0].shape == (1, 3, 8, 8)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".ppm", ".gif", ".jpg", ".webp"])
def test_plain_images_are_read_without_a_word(tmp_path, suffix):
    Image.fromarray(RGB).save(tmp_path / f"x{suffix}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_images([[tmp_path / f"x{suffix}"]], tmp_path)[0].shape == (1, 3, 8, 8)


def test_names_that_are_not_utf_8(tmp_path):
    import os

    from trainables.data.cache import prepare

    folder = tmp_path / os.fsdecode(b"gr\xfc\xdfe")
    folder.mkdir()
    for n in range(10):
        Image.fromarray(RGB + np.uint8(n)).save(folder / os.fsdecode(b"\xe4%d.png" % n))
    assert len(prepare(f"folder:{folder}", tmp_path / "cache").train) == 8

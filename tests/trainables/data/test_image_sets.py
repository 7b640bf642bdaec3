"""Arrays to be scored: what they may be, and what is refused rather than guessed."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
import torch

from trainables.data.image_sets import read_image_set
from trainables.errors import InputError

BYTES = np.random.default_rng(0).integers(0, 256, (5, 3, 8, 8), dtype=np.uint8)


def test_floats_without_a_negative_value_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", BYTES / 255)
    with pytest.raises(InputError, match=r"x\.npy has floats from .* none of them negative.*2 \* x - 1"):
        read_image_set(tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", BYTES / 127.5 - 1)
    assert read_image_set(tmp_path / "x.npy").min() < 0


def test_a_folder_of_arrays_is_judged_as_a_whole(tmp_path):
    for n, low in enumerate((0.0, -1.0)):
        np.save(tmp_path / f"{n}.npy", np.linspace(low, 1, BYTES.size).reshape(BYTES.shape))
    assert len(read_image_set(tmp_path)) == 10
    (tmp_path / "1.npy").unlink()
    with pytest.raises(InputError, match="none of them negative"):
        read_image_set(tmp_path)


@pytest.mark.parametrize(
    "arrays",
    [{"x": BYTES}, {"arr_0": BYTES, "arr_1": np.arange(5)}, {"arr_0": BYTES.transpose(0, 2, 3, 1)}],
    ids=["one", "with labels", "channels last"],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_of_images(tmp_path, arrays, save):
    save(tmp_path / "x.npz", **arrays)
    assert np.array_equal(read_image_set(tmp_path / "x.npz"), BYTES)


def test_other_archives_are_refused_in_a_sentence(tmp_path):
    np.savez(tmp_path / "stats.npz", mu=np.zeros(8), sigma=np.eye(8))
    with pytest.raises(InputError, match=r"the arrays mu, sigma: .*statistics"):
        read_image_set(tmp_path / "stats.npz")
    torch.save({"x": torch.zeros(3)}, tmp_path / "x.pt")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("a.png", b"x")
    np.savez(tmp_path / "objects.npz", np.array([None]))
    (tmp_path / "empty.npz").write_bytes(b"PK\x05\x06" + bytes(18))
    (tmp_path / "torn.npz").write_bytes((tmp_path / "stats.npz").read_bytes()[:300])
    for name in ("x.pt", "x.zip", "objects.npz", "empty.npz", "torn.npz"):
        with pytest.raises(InputError, match=name):
            read_image_set(tmp_path / name)

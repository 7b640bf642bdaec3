from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.data.cache import prepare
from trainables.data.degradations import TASKS
from trainables.data.tensors import to_tensor, to_uint8
from trainables.export import export
from trainables.methods.base import method_class
from trainables.restore import main


def exported(name, folder, cache_dir, **settings):
    method_type = method_class(name)
    config = method_type.Config.tiny(**settings)
    method = method_type(config, prepare("digits", cache_dir), torch.device("cpu"))
    method.train_round()
    path = folder / f"{name}.safetensors"
    export(name, config.model_dump(mode="json"), "digits", method, path, 1, {}, "fid_lenet", "minimize")
    return method, path


def test_own_images_are_restored(tmp_path, cache_dir, capsys):
    method, weights = exported("restoration_gan", tmp_path, cache_dir, task="x2")
    images = prepare("digits", cache_dir).test.examples[:3]
    small = to_uint8(TASKS["x2"].operator(to_tensor(images)))
    np.save(tmp_path / "small.npy", small)
    out = tmp_path / "out"
    assert main(["--from", str(weights), "--images", str(tmp_path / "small.npy"), "--out", str(out)]) == 0
    assert "3 restored images (task x2)" in capsys.readouterr().out
    expected = to_uint8(method.restore(to_tensor(small)))
    for i in range(3):
        with Image.open(out / f"{i:04d}.png") as image:
            assert (np.asarray(image) == expected[i, 0]).all()


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("gan", {}, "restores no images"),
        ("restoration_gan", {"task": "x4"}, r"these weights restore images of (1, 2, 2)"),
    ],
)
def test_what_cannot_be_restored_is_one_sentence(tmp_path, cache_dir, capsys, name, settings, sentence):
    _, weights = exported(name, tmp_path, cache_dir, **settings)
    np.save(tmp_path / "images.npy", np.zeros((2, 1, 8, 8), dtype=np.uint8))
    arguments = ["--from", str(weights), "--images", str(tmp_path / "images.npy"), "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

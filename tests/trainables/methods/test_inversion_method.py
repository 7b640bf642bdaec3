"""Restoration by the latents of a generator: where the generator comes from, and what the search leaves alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from trainables.data.cache import open_dataset, prepare
from trainables.errors import InputError
from trainables.export import export
from trainables.methods.base import method_class
from trainables.methods.inversion import Inversion, InversionConfig
from trainables.restore import main as restore
from trainables.testing.data import tiny_images

CPU = torch.device("cpu")


def build(dataset=None, **settings):
    method = Inversion(InversionConfig.tiny(**settings), dataset or tiny_images(), CPU)
    method.train_round()
    return method


def exported(name, cache_dir, folder, dataset="digits", **settings):
    method_type = method_class(name)
    config = method_type.Config.tiny(**settings)
    method = method_type(config, prepare(dataset, cache_dir), CPU)
    method.train_round()
    path = folder / f"{name}.safetensors"
    export(name, config.model_dump(mode="json"), dataset, method, path, 1, {}, "", "minimize")
    return method, path


def test_an_exported_generator_is_brought_into_the_cache_and_searched(cache_dir, tmp_path):
    gan, path = exported("gan", cache_dir, tmp_path)
    config = Inversion.prepare(InversionConfig.tiny(weights=str(path)), "digits", cache_dir)
    assert config.generator == "gan"
    assert config.weights.startswith(str(cache_dir))
    assert len(config.weights_sha256) == 64
    assert Inversion.prepare(config, "digits", cache_dir) == config
    path.unlink()
    inversion = Inversion(config, open_dataset("digits", cache_dir), CPU)
    inversion.train_round()
    latents = gan.draw_latents(3, torch.Generator().manual_seed(0))
    assert torch.equal(inversion.generator.generate(latents), gan.generate(latents))


def test_without_weights_a_generator_is_trained_once(cache_dir):
    first, second = (Inversion.prepare(InversionConfig.tiny(seed=s), "digits", cache_dir) for s in (0, 1))
    assert first.weights == second.weights
    assert Inversion.prepare(InversionConfig.tiny(generator_rounds=3), "digits", cache_dir).weights != first.weights


def test_restoring_leaves_parameters_and_buffers_as_they_are(cache_dir, tmp_path):
    _, path = exported("gan", cache_dir, tmp_path)
    digits = open_dataset("digits", cache_dir)
    config = Inversion.prepare(InversionConfig.tiny(weights=str(path)), "digits", cache_dir)
    method = Inversion(config, digits, CPU)
    method.train_round()
    before = copy.deepcopy(method.network.state_dict())
    assert any(name.endswith("num_batches_tracked") for name in before)
    method.restore(torch.zeros(2, 1, 8, 8))
    method.train_round()
    after = method.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_an_image_alone_is_restored_as_in_a_batch():
    method = build(iterations=20)
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    alone = torch.cat([method.restore(image[None]) for image in images])
    torch.testing.assert_close(method.restore(images), alone, atol=1e-4, rtol=1e-3)


def test_without_iterations_from_the_encoder_it_is_a_reconstruction():
    method = build(start="encoder", iterations=0)
    images = torch.rand(3, 1, 8, 8) * 2 - 1
    torch.testing.assert_close(method.restore(images), method.generator.reconstruct(images))
    searched = build(start="encoder", iterations=100)
    errors = [(m.restore(images) - images).square().mean() for m in (method, searched)]
    assert errors[1] < errors[0]


def test_known_pixels_are_kept(cache_dir):
    images = prepare("mnist5k", cache_dir).train.examples[:2]
    degraded = torch.from_numpy(np.array(images)).float() / 127.5 - 1
    degraded[..., 10:18, 10:18] = 0
    restored = build(open_dataset("mnist5k", cache_dir), task="hole").restore(degraded)
    inside = torch.zeros(28, 28, dtype=torch.bool)
    inside[10:18, 10:18] = True
    assert torch.equal(restored[..., ~inside], degraded[..., ~inside])
    assert not torch.equal(restored[..., inside], degraded[..., inside])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"weights": "nowhere"}, "there is no file or folder nowhere"),
        ({"generator": "discriminator_only"}, "has no generator of latents"),
        ({"generator_settings": {"widht": 1}}, "generator_settings: widht of vae"),
        ({"weights": "{gan}", "weights_sha256": "0" * 64}, "it is another file"),
        ({"weights": "{discriminator_only}"}, "without a generator of latents"),
        ({"weights": "{empty}"}, "nothing has been exported"),
    ],
)
def test_what_is_no_generator_is_one_sentence(cache_dir, tmp_path, settings, sentence):
    weights = settings.get("weights", "")
    (tmp_path / "{empty}").mkdir()
    if weights.startswith("{"):
        name = weights.strip("{}")
        path = tmp_path / weights if name == "empty" else exported(name, cache_dir, tmp_path)[1]
        settings = settings | {"weights": str(path)}
    with pytest.raises(InputError, match=sentence):
        Inversion.prepare(InversionConfig(**settings), "digits", cache_dir)


def test_a_generator_of_other_images_is_refused(cache_dir, tmp_path):
    _, path = exported("gan", cache_dir, tmp_path)
    prepare("mnist5k", cache_dir)
    with pytest.raises(InputError, match=r"images of \(1, 8, 8\) and data set 'mnist5k' has \(1, 28, 28\)"):
        Inversion.prepare(InversionConfig(weights=str(path)), "mnist5k", cache_dir)


def test_an_encoder_needs_whole_images_and_a_method_that_has_one():
    with pytest.raises(InputError, match="start=encoder needs whole images"):
        build(task="measured50", start="encoder")
    with pytest.raises(InputError, match="'gan' has none"):
        Inversion(InversionConfig(generator="gan", start="encoder"), tiny_images(), CPU)


def test_measurements_are_not_restored_from_images(cache_dir, tmp_path, capsys):
    _, path = exported("inversion", cache_dir, tmp_path, task="measured10")
    np.save(tmp_path / "images.npy", np.zeros((2, 1, 8, 8), dtype=np.uint8))
    arguments = ["--from", str(path), "--images", str(tmp_path / "images.npy"), "--out", str(tmp_path / "out")]
    assert restore(arguments) == 2
    assert "from random measurements, not from images" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from trainables.data.cache import open_dataset, prepare
from trainables.data.degradations import TASKS
from trainables.data.tensors import to_tensor
from trainables.errors import InputError
from trainables.measures.restoration import Restoration
from trainables.measures.settings import RestorationSettings
from trainables.measures.subject import Subject
from trainables.metrics.restoration import PERFECT, psnr
from trainables.networks.restoration import enlarged

CPU = torch.device("cpu")
SMALL = {"num_images": 20, "num_real": 100, "kid_subsets": 3}


@pytest.fixture(scope="module")
def make(cache_dir):
    prepare("digits", cache_dir)
    dataset = open_dataset("digits", cache_dir)

    def build(*tasks):
        settings = Restoration.prepare(RestorationSettings(tasks=tasks, **SMALL), "digits", cache_dir).settings
        return Restoration(settings, dataset, cache_dir, CPU)

    return build


def measured(measure, restore, **attributes):
    return measure(Subject(SimpleNamespace(restore=restore, **attributes), seed=0))


def test_originals_are_perfect_and_gain_what_is_missing(make):
    measure = make("noise0.1")
    found = measured(measure, lambda degraded: measure.originals).metrics
    assert found["psnr_noise0.1"] == PERFECT
    assert found["ssim_noise0.1"] == pytest.approx(1)
    assert found["sharpness"] == pytest.approx(1)
    assert found["class_kept"] == 1
    references = measure.references()
    best = max(value for name, value in references.items() if name.startswith("psnr_noise0.1_"))
    assert found["psnr_gain"] == pytest.approx(PERFECT - best)
    assert found["fid_lenet"] == pytest.approx(references["fid_lenet_test_images"])


def test_a_method_is_asked_for_its_own_task(make):
    measure = make("noise0.1", "x2")
    found = measured(measure, lambda small: enlarged(small, 2).clamp(-1, 1), task="x2").metrics
    originals = measure.originals
    assert found["psnr_x2"] == pytest.approx(psnr(enlarged(TASKS["x2"].operator(originals), 2).clamp(-1, 1), originals))
    assert not {"psnr_noise0.1", "psnr_over_degraded"} & found.keys()
    best = max(value for name, value in measure.references().items() if name.startswith("psnr_x2_"))
    assert found["psnr_gain"] == pytest.approx(found["psnr_x2"] - best)


def test_doing_nothing_is_the_reference_of_that_name(make):
    measure = make("noise0.1")
    found = measured(measure, lambda degraded: degraded.clamp(-1, 1)).metrics
    references = measure.references()
    for metric in ("psnr_noise0.1", "psnr_pooled_noise0.1", "ssim_noise0.1"):
        assert found[metric] == pytest.approx(references[f"{metric}_degraded"])
    assert found["psnr_over_degraded"] == pytest.approx(0, abs=1e-4)
    assert found["fid_lenet"] == pytest.approx(references["fid_lenet_noise0.1_degraded"])


def test_the_degradation_is_always_the_same(make):
    first, second = (make("noise0.1").problem("noise0.1").degraded for _ in range(2))
    assert torch.equal(first, second)


def test_the_error_in_the_hole_is_of_the_hole_alone(cache_dir):
    prepare("mnist5k", cache_dir)
    settings = Restoration.prepare(RestorationSettings(tasks=("hole",), **SMALL), "mnist5k", cache_dir).settings
    measure = Restoration(settings, open_dataset("mnist5k", cache_dir), cache_dir, CPU)
    originals = to_tensor(measure.dataset.test.examples[:20])
    inside = torch.zeros(28, 28)
    inside[10:18, 10:18] = 1

    def wrong_outside(degraded):
        return torch.where(inside.bool(), originals, -originals)

    assert measured(measure, wrong_outside).metrics["psnr_in_hole"] == PERFECT
    wrong_inside = measured(measure, lambda degraded: degraded).metrics
    error = (originals * inside).square().sum() / (20 * 64)
    assert wrong_inside["psnr_in_hole"] == pytest.approx(10 * torch.log10(4 / error).item(), rel=1e-5)


def test_the_picture_has_a_row_for_each_method(make, tmp_path):
    measure = make("noise0.1")
    measure.draw(measured(measure, lambda degraded: degraded), tmp_path)
    with Image.open(tmp_path / "restored.png") as picture:
        assert picture.height > 5 * 80  # original, degraded, three filters, the model


def test_images_that_cannot_be_degraded_are_refused(cache_dir):
    prepare("digits", cache_dir)
    with pytest.raises(InputError, match="covers images of 8x8"):
        Restoration.prepare(RestorationSettings(tasks=("hole",)), "digits", cache_dir)
    with pytest.raises(InputError, match="points"):
        RestorationSettings().check("spiral")

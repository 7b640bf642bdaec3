"""CelebA and the Yale faces: tiny folders with the published names and formats."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from trainables.data.cache import is_at_hand, prepare
from trainables.data.sources import SOURCES, source_of
from trainables.errors import InputError


@pytest.fixture(autouse=True)
def _this_machines_own_settings_are_hidden(monkeypatch):
    monkeypatch.delenv("CELEBA_DIR", raising=False)
    monkeypatch.delenv("YALE_FACES_DIR", raising=False)
    monkeypatch.setitem(sys.modules, "gdown", None)  # so that nothing is downloaded where it is installed


def smooth_image(*shape, seed):
    """Random pixels that survive JPEG and resizing: 8x8 blocks, enlarged."""
    small = np.random.default_rng(seed).integers(0, 256, (8, 8, *shape[2:]), dtype=np.uint8)
    return Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)


# ---- CelebA

PARTS = {"000001.jpg": 0, "000002.jpg": 0, "000003.jpg": 1, "000004.jpg": 2, "000005.jpg": 0}
MALE = {"000001.jpg": 1, "000002.jpg": -1, "000003.jpg": 1, "000004.jpg": 1, "000005.jpg": -1}


def write_celeba(folder, size=(218, 178)):
    (folder / "img_align_celeba").mkdir(parents=True)
    for seed, name in enumerate(PARTS):
        smooth_image(*size, 3, seed=seed).save(folder / "img_align_celeba" / name, quality=98, subsampling=0)
    (folder / "list_eval_partition.txt").write_text("".join(f"{name} {part}\n" for name, part in PARTS.items()))
    lines = "".join(f"{name} -1  {male:2d}  1\n" for name, male in MALE.items())
    (folder / "list_attr_celeba.txt").write_text(f"{len(MALE)}\nBald Male Young \n{lines}")
    return folder


def centre_at_64(path):
    """What Pillow makes of the middle 178 rows: rows 20 to 197 of 218."""
    with Image.open(path) as image:
        return np.asarray(image.crop((0, 20, 178, 198)).resize((64, 64), Image.Resampling.BILINEAR))


def test_celeba_is_cropped_resized_labelled_and_split_as_published(tmp_path):
    folder = write_celeba(tmp_path / "celeba")
    train, test = SOURCES["celeba64"].load(tmp_path)
    assert (train.examples.shape, test.examples.shape) == ((3, 3, 64, 64), (1, 3, 64, 64))
    assert (train.labels.tolist(), test.labels.tolist()) == ([1, 0, 0], [1])
    names = ["000001.jpg", "000002.jpg", "000005.jpg", "000004.jpg"]
    for image, name in zip([*train.examples, *test.examples], names, strict=True):
        expected = centre_at_64(folder / "img_align_celeba" / name)
        # Pillow rounds after each of its two passes, in fixed point.
        np.testing.assert_allclose(image.transpose(1, 2, 0).astype(int), expected.astype(int), atol=1)


def test_celeba_is_read_from_the_environments_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CELEBA_DIR", str(write_celeba(tmp_path / "mine")))
    assert len(SOURCES["celeba64"].load(tmp_path / "downloads")[0]) == 3


def test_an_environments_folder_without_celeba_says_what_is_missing(tmp_path, monkeypatch):
    folder = write_celeba(tmp_path / "mine")
    (folder / "list_attr_celeba.txt").unlink()
    monkeypatch.setenv("CELEBA_DIR", str(folder))
    with pytest.raises(InputError, match=r"mine, which CELEBA_DIR names, has no list_attr_celeba\.txt: put"):
        SOURCES["celeba64"].load(tmp_path)


def test_celeba_that_cannot_be_downloaded_is_one_sentence(tmp_path):
    with pytest.raises(InputError) as caught:
        SOURCES["celeba64"].load(tmp_path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    for part in (str(tmp_path / "celeba"), "gdown", "img_align_celeba", "list_attr_celeba.txt", "CELEBA_DIR"):
        assert part in sentence


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list_attr_celeba.txt", "5\nBald Young\n000001.jpg 1 1\n"),
        ("list_attr_celeba.txt", "5\nBald Male\n000001.jpg 1 1\n"),
        ("list_attr_celeba.txt", ""),
        ("list_eval_partition.txt", "000001.jpg\n"),
        ("list_eval_partition.txt", "000001.jpg 1\n"),
    ],
    ids=["no such attribute", "no such image", "empty", "no parts", "no training images"],
)
def test_a_damaged_list_is_named(name, content, tmp_path):
    folder = write_celeba(tmp_path / "celeba")
    (folder / name).write_text(content)
    with pytest.raises(InputError, match=rf"{name}.*replace"):
        SOURCES["celeba64"].load(tmp_path)


def test_images_that_are_not_the_aligned_ones_are_refused(tmp_path):
    write_celeba(tmp_path / "celeba", size=(64, 64))
    with pytest.raises(InputError, match="have 178x218 pixels, not 64x64"):
        SOURCES["celeba64"].load(tmp_path)


def test_a_listed_image_that_is_not_there_is_named(tmp_path):
    folder = write_celeba(tmp_path / "celeba")
    (folder / "img_align_celeba/000005.jpg").unlink()
    with pytest.raises(InputError, match=r"000005\.jpg cannot be read \(No such file"):
        SOURCES["celeba64"].load(tmp_path)


# ---- Yale faces


def write_yale(folder, people=("yaleB01", "yaleB02", "yaleB11"), lights=5):
    for person in people:
        (folder / person).mkdir(parents=True)
        for light in range(lights):
            path = folder / person / f"{person}_P00A+{light:03d}E+00.pgm"
            smooth_image(192, 168, seed=10 * int(person[-2:]) + light).save(path)
        smooth_image(480, 640, seed=0).save(folder / person / f"{person}_P00_Ambient.pgm")
        (folder / person / f"{person}_P00A+999E+00.pgm.bad").write_bytes(b"P5")
        (folder / person / f"{person}_P00.info").write_text("")
    return folder


def test_yale_faces_are_resized_and_labelled_by_person(tmp_path):
    folder = write_yale(tmp_path / "CroppedYale")
    train, test = SOURCES["yale_faces"].load(tmp_path)
    assert (train.examples.shape, test.examples.shape) == ((12, 1, 32, 32), (3, 1, 32, 32))
    assert sorted(test.labels) == [0, 1, 2]
    expected = []
    for label, person in enumerate(("yaleB01", "yaleB02", "yaleB11")):
        for path in (folder / person).glob("*E+00.pgm"):
            with Image.open(path) as image:
                expected.append((label, np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR)).astype(int)))
    for label, image in zip([*train.labels, *test.labels], [*train.examples, *test.examples], strict=True):
        distances = [abs(image[0] - pixels).max() for person, pixels in expected if person == label]
        assert min(distances) <= 1


def test_yale_faces_are_read_from_the_environments_folder_and_classified_as_found(tmp_path, monkeypatch):
    monkeypatch.setenv("YALE_FACES_DIR", str(write_yale(tmp_path / "mine")))
    assert is_at_hand("yale_faces", tmp_path / "cache")
    assert prepare("yale_faces", tmp_path / "cache").num_classes == 3


def test_absent_yale_faces_are_one_sentence(tmp_path):
    assert not is_at_hand("yale_faces", tmp_path)
    with pytest.raises(InputError) as caught:
        SOURCES["yale_faces"].load(tmp_path)
    for part in (str(tmp_path / "CroppedYale"), "CroppedYale.zip", "YALE_FACES_DIR"):
        assert part in str(caught.value)


def test_one_person_can_be_chosen_and_an_unknown_one_gets_those_there_are(tmp_path):
    write_yale(tmp_path / "CroppedYale")
    train, test = source_of("yale_faces:2").load(tmp_path)
    assert set(train.labels) | set(test.labels) == {2}
    with pytest.raises(InputError, match="'yale_faces' has no class '3': its classes are 0 to 2"):
        source_of("yale_faces:3").load(tmp_path)

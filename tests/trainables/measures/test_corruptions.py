"""Whatever is wrong with images, some reported metric sees it: the table of `python -m benchmarks corruptions`."""

from __future__ import annotations

import pytest

from benchmarks.corruptions import CLEAN, CONTROL, SHOWN, measure, seen_by, worsening


@pytest.fixture(scope="module")
def measured(cache_dir):
    return measure(cache_dir, number=120)


@pytest.fixture(scope="module")
def seen(measured):
    metrics, found = measured
    return {name: seen_by(metrics, of_images, found[CLEAN]) for name, of_images in found.items()}


def test_every_corruption_makes_some_metric_twice_as_bad(seen):
    unseen = {name for name, by in seen.items() if not by}
    assert unseen == {CLEAN, CONTROL}
    assert len(seen) >= 15


def test_every_metric_of_the_table_is_of_use(seen):
    assert set().union(*seen.values()) == set(SHOWN)


def test_each_extractor_sees_where_the_other_is_blind(measured, seen):
    metrics, found = measured

    def factors(name):
        fids = ("fid_lenet", "fid_efficientnet")
        return tuple(worsening(metrics[fid], found[name][fid], found[CLEAN][fid]) for fid in fids)

    by_classifier, by_efficientnet = factors("noise, 5%")
    assert by_classifier < 1.2
    assert by_efficientnet > 5
    by_classifier, by_efficientnet = factors("five of ten classes")
    assert by_classifier > 3
    assert by_efficientnet < 1.5
    by_classifier, by_efficientnet = factors("mirrored")
    assert by_classifier > 3
    assert by_efficientnet < 1.5


def test_copies_of_training_images_are_seen_by_copying_alone(seen):
    assert seen["training images"] == {"copying"}

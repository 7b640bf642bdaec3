"""Which examples have labels."""

from __future__ import annotations

import numpy as np
import pytest

from trainables.data.dataset import Dataset, Split
from trainables.data.labelled import draw_labelled
from trainables.errors import InputError


def dataset(labels, classes=3):
    images = np.zeros((len(labels), 1, 8, 8), np.uint8)
    return Dataset("some", Split(images, np.array(labels)), Split(images[:1], np.array(labels[:1])), classes)


EVEN = np.arange(60) % 3


@pytest.mark.parametrize("number", [3, 4, 25, 60])
def test_the_classes_have_the_same_number_of_labels_or_one_more(number):
    drawn = draw_labelled(dataset(EVEN), number, draw=0)
    assert len(set(drawn.tolist())) == number
    counts = np.bincount(EVEN[drawn], minlength=3)
    assert counts.max() - counts.min() <= 1


def test_a_smaller_number_is_the_beginning_of_a_larger_one():
    assert draw_labelled(dataset(EVEN), 40, draw=1)[:7].tolist() == draw_labelled(dataset(EVEN), 7, draw=1).tolist()


def test_draws_differ_in_examples_and_in_the_classes_that_have_one_more():
    draws = [draw_labelled(dataset(EVEN), 4, draw) for draw in range(20)]
    assert len({tuple(drawn.tolist()) for drawn in draws}) == 20
    assert {int(np.bincount(EVEN[drawn], minlength=3).argmax()) for drawn in draws} == {0, 1, 2}
    assert draws[3].tolist() == draw_labelled(dataset(EVEN), 4, 3).tolist()


def test_a_class_that_is_used_up_is_passed_over():
    labels = np.array([0] * 50 + [1] * 2 + [2] * 8)
    assert np.bincount(labels[draw_labelled(dataset(labels), 20, draw=0)]).tolist() == [10, 2, 8]
    assert sorted(draw_labelled(dataset(labels), 60, draw=0).tolist()) == list(range(60))


@pytest.mark.parametrize(
    ("labels", "number", "sentence"),
    [
        (EVEN, 61, "61 labels are more than the 60 training examples of 'some': set labels to 60 or less."),
        (EVEN, 2, "2 labels are fewer than the 3 classes of 'some': set labels to 3 or more."),
        (EVEN[EVEN > 0], 10, "has no training example of class 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_sentence(labels, number, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        draw_labelled(dataset(labels), number, draw=0)
    assert "\n" not in str(caught.value)


def test_data_without_labels_are_refused():
    images = np.zeros((9, 1, 8, 8), np.uint8)
    with pytest.raises(InputError, match="data set 'some' has no labels: choose one that has"):
        draw_labelled(Dataset("some", Split(images), Split(images), None), 3, 0)

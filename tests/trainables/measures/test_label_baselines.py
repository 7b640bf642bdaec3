"""The reference classifiers against scikit-learn's own."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import LabelSpreading
from sklearn.svm import SVC

from trainables.data.cache import prepare
from trainables.data.labelled import draw_labelled
from trainables.errors import InputError
from trainables.measures.classification import Classification
from trainables.measures.label_baselines import baseline_accuracies
from trainables.measures.settings import ClassificationSettings
from trainables.preparation import prepare_protocol
from trainables.protocol import Protocol


def test_references_are_means_over_draws_of_scikit_learns_classifiers(cache_dir):
    digits = prepare("digits", cache_dir)
    train, test = (split.examples.reshape(len(split), -1) / 255.0 for split in (digits.train, digits.test))
    expected = {"label_spreading": [], "svm": [], "nearest": []}
    for draw in range(2):
        chosen = draw_labelled(digits, 25, draw)
        known = np.full(len(train), -1)
        known[chosen] = digits.train.labels[chosen]
        spreading = LabelSpreading(kernel="knn", n_neighbors=7, alpha=0.5).fit(train, known)
        expected["label_spreading"].append(spreading.score(test, digits.test.labels))
        for name, classifier in (("svm", SVC(C=10)), ("nearest", KNeighborsClassifier(1))):
            fitted = classifier.fit(train[chosen], digits.train.labels[chosen])
            expected[name].append(fitted.score(test, digits.test.labels))
    found = baseline_accuracies(digits, (25,), draws=2)
    assert found == pytest.approx({f"{name}_25": np.mean(values) for name, values in expected.items()}, abs=0.006)
    # Measured with other draws: .894, .769, .768 (mean of 5).
    assert found["label_spreading_25"] > found["svm_25"] > 0.6


def test_a_measure_without_numbers_of_labels_has_no_references(cache_dir):
    measure = Classification(ClassificationSettings(labels=()), prepare("digits", cache_dir), cache_dir, None)
    assert measure.references() == {}


@pytest.mark.parametrize(
    ("dataset", "labels", "sentence"),
    [
        ("digits", (25, 2000), "2000 labels are more than the 1437 training examples of 'digits'"),
        ("digits", (5,), "5 labels are fewer than the 10 classes of 'digits'"),
        ("digits:3", (25,), "data set 'digits:3' has no training example of class 0"),
        ("spiral", (25,), "data set 'spiral' has points"),
    ],
)
def test_what_has_no_such_labels_is_refused_before_anything_is_trained(dataset, labels, sentence, tmp_path):
    protocol = Protocol(dataset=dataset, measures=(ClassificationSettings(labels=labels),))
    with pytest.raises(InputError, match=sentence):
        prepare_protocol(protocol, tmp_path)

"""All changes together: same layout, decided by the seed, nothing where everything is off."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from analyte.contract.run import graph_input
from analyte.train.augmentation import AUGMENTATIONS, Augmentation, augment
from train.augmentation.changes import applied, changed, seeds, still
from train.tiny_studies import random_pictures

FIELD = AUGMENTATIONS["field"](True)


@pytest.mark.parametrize("name", ["lab", "field"])
@pytest.mark.parametrize("views", [1, 2])
def test_layout_and_depth_stay(name: str, views: int) -> None:
    images = random_pictures(4, views)
    result = changed(images, 1, AUGMENTATIONS[name](True))
    assert (result.shape, result.dtype) == (images.shape, np.uint8)
    assert ((result != images).mean(axis=(1, 2, 3, 4)) > 0.5).all()


def test_off_changes_no_byte() -> None:
    images = random_pictures(4, 2)
    np.testing.assert_array_equal(changed(images, 1, Augmentation()), images)
    # Nor does the way through every step.
    np.testing.assert_array_equal(applied(images, still(images)), images)


def test_seed_decides() -> None:
    images = random_pictures(4, 2)
    np.testing.assert_array_equal(changed(images, 1, FIELD), changed(images, 1, FIELD))
    assert (changed(images, 1, FIELD) != changed(images, 2, FIELD)).mean() > 0.5


def test_samples_differ() -> None:
    images = np.repeat(random_pictures(1, 2), 4, axis=0)
    result = changed(images, 3, FIELD)
    for other in range(1, 4):
        assert (result[0] != result[other]).mean() > 0.5


def test_changes_are_drawn_independently() -> None:
    """Switching one on does not redraw another: studies of one change compare like with like."""
    images = random_pictures(4, 2)
    alone = changed(images, 5, Augmentation(rotation=True, flip=True))
    both = changed(images, 5, Augmentation(rotation=True, flip=True, glare=0.5, glare_share=1.0))
    assert (both >= alone).all()


@pytest.mark.parametrize("batch_size", [4, 3])
def test_in_a_stream_as_training_has_it(batch_size: int) -> None:
    """The number of samples is not known when the graph is made, and the last batch is a smaller one."""
    images = random_pictures(4, 2)
    settings = dataclasses.replace(FIELD, glare_share=1.0, blur_share=1.0, jpeg_share=1.0)
    seed: Any = seeds(1)
    stream = tf.data.Dataset.from_tensor_slices(images).batch(batch_size)
    stream = stream.map(lambda batch: graph_input(augment(batch, seed, settings)), num_parallel_calls=2)
    batches = [batch.numpy() for batch in stream]
    assert [len(batch) for batch in batches] == [min(batch_size, 4 - i) for i in range(0, 4, batch_size)]
    expected = [changed(images[i : i + batch_size], 1, settings) for i in range(0, 4, batch_size)]
    np.testing.assert_array_equal(np.concatenate(batches), np.concatenate(expected))

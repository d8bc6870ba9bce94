"""Training batches: every crop is fixed by (seed, epoch, sample), whatever the workers."""

import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hrnet.data.augment import distort
from hrnet.data.coco import PoseSample
from hrnet.errors import InputError
from hrnet.geometry import warp_affine
from hrnet.images import read_image
from hrnet.skeleton import Skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks.pose.augment import draw_crop
from hrnet.tasks.pose.config import (
    NO_AUGMENTATION,
    KeypointData,
    PoseAugmentation,
    PoseExperiment,
    PoseModelConfig,
)
from hrnet.tasks.pose.network import target_maps
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.tasks.pose.task import PoseTask
from hrnet.training.loader import Batch, EpochBatches, TrainingSet, loaded, make_loader, normalised

COUNT = 7
SPEC = PoseSpec(
    network=NetworkSpec(variant="small_hrnet_w16", task="pose", num_outputs=5),
    name="test",
    input_size=(64, 96),
    codec="udp",
    skeleton=Skeleton(tuple("abcde"), flip_pairs=((0, 1), (2, 3))),
)


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> list[PoseSample]:
    """Seven subjects in four pictures of noise, all with another visibility."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    found = []
    for index in range(COUNT):
        path = folder / f"{index // 2}.png"
        if not path.exists():
            Image.fromarray(rng.integers(0, 256, (80, 100, 3), dtype=np.uint8)).save(path)
        points = rng.uniform(15, 60, (5, 2))
        seen = np.array([2, 1, 2, index % 3, 0])
        box = np.array([10.0, 12, 50, 55])
        found.append(PoseSample(path, index // 2, index, box, points, seen, (80, 100)))
    return found


def make_dataset(
    samples, *, spec=SPEC, augmentation=None, seed=0, cache=True, skip_broken=False
) -> TrainingSet:
    experiment = PoseExperiment(
        name="test",
        model=PoseModelConfig(variant="small_hrnet_w16"),
        data=KeypointData(annotations=Path("a.json"), images=Path()),
        augmentation=augmentation or PoseAugmentation(),
    )
    task = PoseTask(spec, experiment)
    return TrainingSet(samples, task, seed=seed, cache=cache, skip_broken=skip_broken)


def drawn(samples, spec=SPEC, augmentation=None) -> list[tuple]:
    """Crop, keypoints and weights of each sample in epoch 0, one by one."""
    augmentation, found = augmentation or PoseAugmentation(), []
    for position, sample in enumerate(samples):
        rng = np.random.default_rng([0, 0, position])
        matrix, points, weights = draw_crop(sample, spec, augmentation=augmentation, rng=rng)
        crop = warp_affine(read_image(sample.image_path), matrix, spec.input_size)
        found.append((distort(crop, augmentation, rng), points, weights))
    return found


def epoch_of(samples, *, epoch=0, seed=0, workers=0, batch_size=3, **options) -> list[Batch]:
    batches = EpochBatches(len(samples), batch_size, seed=seed)
    batches.epoch = epoch
    dataset = make_dataset(samples, seed=seed, **options)
    return list(make_loader(dataset, batches, workers=workers))


def same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(tensor, tensors(b)[name])
        for a, b in zip(one, other, strict=True)
        for name, tensor in tensors(a).items()
    )


def tensors(batch: Batch) -> dict[str, torch.Tensor]:
    return {"inputs": batch.inputs, **batch.targets}


def test_shapes_and_types(samples):
    batches = epoch_of(samples)
    assert len(batches) == 2  # of 3; the seventh is dropped
    for batch in batches:
        assert batch.inputs.shape == (3, 64, 96, 3)
        assert batch.targets["rows"].shape == (3, 5, 16)
        assert batch.targets["columns"].shape == (3, 5, 24)
        assert batch.targets["weights"].shape == (3, 5)
        assert batch.inputs.dtype == torch.uint8
        assert {values.dtype for values in batch.targets.values()} == {torch.float32}


def test_few_samples_are_one_batch(samples):
    (batch,) = epoch_of(samples, batch_size=100)
    assert len(batch.inputs) == COUNT


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(samples, workers):
    assert same(epoch_of(samples, epoch=2), epoch_of(samples, epoch=2, workers=workers))


def test_the_cache_changes_nothing(samples):
    assert same(epoch_of(samples), epoch_of(samples, cache=False))


def test_seed_and_epoch_fix_everything(samples):
    assert same(epoch_of(samples, epoch=1, seed=4), epoch_of(samples, epoch=1, seed=4))
    assert not same(epoch_of(samples, epoch=1, seed=4), epoch_of(samples, epoch=2, seed=4))
    assert not same(epoch_of(samples, epoch=1, seed=4), epoch_of(samples, epoch=1, seed=5))


def test_a_crop_does_not_depend_on_those_before_it(samples):
    dataset = make_dataset(samples)
    first = dataset.__getitems__([(3, 5)])
    among = dataset.__getitems__([(3, 1), (4, 5), (3, 5)])
    for name, tensor in tensors(first).items():
        np.testing.assert_array_equal(tensor[0], tensors(among)[name][2])
    assert not np.array_equal(first.inputs[0], among.inputs[1])


def test_an_epoch_visits_every_sample_once_in_another_order():
    batches = EpochBatches(50, 5, seed=1)
    orders = []
    for epoch in range(2):
        batches.epoch = epoch
        epochs, order = zip(*(item for batch in batches for item in batch), strict=True)
        assert set(epochs) == {epoch}
        assert sorted(order) == list(range(50))
        orders.append(order)
    assert orders[0] != orders[1]
    assert len(batches) == 10
    other = [position for batch in EpochBatches(50, 5, seed=2) for _, position in batch]
    assert orders[0] != tuple(other)


def test_it_goes_on_in_the_middle_of_an_epoch():
    batches = EpochBatches(23, 5, seed=1)
    whole = list(batches)
    batches.start = 3
    assert list(batches) == whole[3:]
    assert len(batches) == 4
    assert batches.samples_of(0, 3) == [position for _, position in whole[3]]


@pytest.mark.parametrize("length", [24, 7])
def test_processes_share_the_batches_of_one(length):
    alone = list(EpochBatches(length, 8, seed=3))
    shares = [list(EpochBatches(length, 8, seed=3, rank=rank, size=2)) for rank in (0, 1)]
    together = [sorted(one + other) for one, other in zip(*shares, strict=True)]
    assert all(len(one) == len(other) for one, other in zip(*shares, strict=True))
    if length == 24:
        assert together == [sorted(batch) for batch in alone]


@pytest.mark.parametrize("codec", ["classic", "dark", "udp", "exact"])
def test_targets_are_those_of_the_codec(samples, codec):
    spec = SPEC.model_copy(update={"codec": codec})
    dataset = make_dataset(samples, spec=spec)
    batch = dataset.__getitems__([(0, position) for position in range(COUNT)])
    items = drawn(samples, spec)
    crops, points, weights = (np.stack(part) for part in zip(*items, strict=True))
    heatmaps, kept = spec.heatmap_codec.encode(points, weights)
    np.testing.assert_array_equal(batch.inputs.numpy(), crops)
    np.testing.assert_array_equal(target_maps(batch.targets).numpy(), heatmaps)
    np.testing.assert_array_equal(batch.targets["weights"].numpy(), kept)
    assert not batch.targets["weights"][:, 4].any()  # never labelled
    for layout in (True, False):
        images = normalised(batch.inputs, spec, channels_last=layout)
        assert images.is_contiguous(memory_format=torch.channels_last) == layout
        for image, (crop, _, _) in zip(images, items, strict=True):
            expected = (crop / 255 - spec.mean) / spec.std
            np.testing.assert_allclose(image.numpy(), expected.transpose(2, 0, 1), atol=1e-5)


def test_decoded_targets_are_the_points(samples):
    """The decoder reads the targets of the network as the keypoints of the crop."""
    dataset = make_dataset(samples, augmentation=NO_AUGMENTATION)
    batch = dataset.__getitems__([(0, position) for position in range(COUNT)])
    items = drawn(samples, augmentation=NO_AUGMENTATION)
    decoded, _ = SPEC.heatmap_codec.decode(target_maps(batch.targets).numpy())
    points = np.stack([item[1] for item in items])
    counts = batch.targets["weights"].numpy() > 0
    inside = np.all((points > 12) & (points < (84, 52)), axis=-1) & counts
    assert inside.sum() > 5
    np.testing.assert_allclose(decoded[inside], points[inside], atol=0.6)


def test_pictures_are_read_once(samples, monkeypatch):
    read = []

    def spy(path, spec):
        read.append(path)
        return np.zeros((80, 100, 3), dtype=np.uint8)

    monkeypatch.setattr("hrnet.training.loader.read_picture", spy)
    dataset = make_dataset(samples)
    for epoch in range(2):
        for position in range(COUNT):
            dataset.__getitems__([(epoch, position)])
    assert sorted(read) == sorted({sample.image_path for sample in samples})


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_picture_comes_as_its_error(samples, tmp_path, workers):
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0 no more")
    last = samples[-1]
    broken = PoseSample(
        Path(path), 99, 99, last.box_xywh, last.keypoints, last.visibility, last.image_size
    )
    (batch,) = epoch_of([*samples, broken], batch_size=100, workers=workers)
    assert isinstance(batch, InputError)
    assert "broken.jpg" in str(batch)
    assert len(str(batch).splitlines()) == 1


def test_broken_pictures_can_be_skipped_and_are_counted(samples, monkeypatch):
    error, good = InputError("broken.jpg cannot be read"), [(0, 0), (0, 5)]
    read = lambda path, spec: broken_or(path, error)  # noqa: E731
    monkeypatch.setattr("hrnet.training.loader.read_picture", read)
    skipping, strict = make_dataset(samples, skip_broken=True), make_dataset(samples)
    bad = [(0, 2), (0, 3)]  # both in 1.png
    batch = skipping.__getitems__([good[0], bad[0], good[1]])
    assert (len(batch.inputs), batch.skipped) == (2, 1)
    assert same([batch], [strict.__getitems__(good)])
    assert skipping.__getitems__(bad) is error
    assert strict.__getitems__([good[0], bad[0]]) is error


def test_samples_whose_labels_cannot_be_read_are_left_out_too(samples, monkeypatch):
    """As those of masks: they lie in files that the task reads in `batch`."""
    batch = PoseTask.batch

    def strict_batch(task, some, pictures, rngs):
        if samples[5] in some:
            raise InputError("mask.png cannot be read")
        return batch(task, some, pictures, rngs)

    monkeypatch.setattr(PoseTask, "batch", strict_batch)
    skipping, strict = make_dataset(samples, skip_broken=True), make_dataset(samples)
    error = strict.__getitems__([(0, 0), (0, 5)])
    assert isinstance(error, InputError) and "mask.png" in str(error)
    left = skipping.__getitems__([(0, 0), (0, 5), (0, 6)])
    assert (len(left.inputs), left.skipped) == (2, 1)
    assert torch.equal(left.inputs, strict.__getitems__([(0, 0), (0, 6)]).inputs)
    # Nothing is left of a batch of broken ones alone.
    assert isinstance(skipping.__getitems__([(0, 5)]), InputError)


def broken_or(path: Path, error: InputError):
    if path.name == "1.png":
        raise error
    return read_image(path)


def test_several_epochs_come_from_one_loader(samples):
    """From the middle of an epoch on, each as if it were alone."""
    batches = EpochBatches(len(samples), 3, seed=0)
    batches.epoch, batches.start, batches.stop = 1, 1, 4
    found = list(loaded(make_loader(make_dataset(samples), batches, workers=1)))
    alone = [batch for epoch in (1, 2, 3) for batch in epoch_of(samples, epoch=epoch)]
    assert same(found, alone[1:])


def test_a_closed_loader_leaves_no_worker(samples):
    """Its workers end although a reference to the loader stays."""
    before = multiprocessing.active_children()
    loader = make_loader(make_dataset(samples), EpochBatches(len(samples), 3, seed=0), workers=2)
    batches = loaded(loader)
    next(batches)
    assert len(multiprocessing.active_children()) == len(before) + 2
    batches.close()
    assert multiprocessing.active_children() == before

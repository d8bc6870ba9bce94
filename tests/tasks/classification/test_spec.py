"""A description of a classification model is read as it was written, and refused where odd."""

import pytest
from pydantic import ValidationError

from hrnet.data.class_dataset import MOST_CLASSES
from hrnet.errors import InputError
from hrnet.spec import NetworkSpec
from hrnet.tasks.classification.imagenet import imagenet_names
from hrnet.tasks.classification.spec import ClassificationSpec

from .conftest import make_spec


def test_it_is_read_as_it_was_written(spec):
    assert ClassificationSpec.from_json(spec.to_json()) == spec
    assert spec.task == "classification"
    assert spec.output_names == ("logits",)


def test_the_most_classes_of_long_names_can_be_read_again():
    names = [f"{number:05d}{'é' * 8}" for number in range(MOST_CLASSES)]
    spec = make_spec(names)
    assert ClassificationSpec.from_json(spec.to_json()).class_names == tuple(names)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("cat",), "expected 2 to 30000 class names, got 1"),
        ((), "got 0"),
        (("cat", "cat"), "must differ, got cat more than once"),
        (("cat", "x" * 201), "of 1 to 200 letters, got one of 201"),
        (("cat", " "), "got one of 0"),
        (("cat", "\udc80"), "can be written"),
        (tuple(map(str, range(30_001))), "got 30001"),
        (tuple(f"{number} {'x' * 190}" for number in range(9000)), "more than 524288 characters"),
    ],
)
def test_odd_class_names_are_refused(names, message):
    with pytest.raises(ValidationError, match=message):
        make_spec(names)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"resize": 63}, "at least the crop's longer side 64, got 63"),
        ({"resize": 100_000}, "less than or equal to 4096"),
        ({"interpolation": "nearest"}, "bilinear"),
        ({"network": NetworkSpec(variant="hrnet_w18", task="pose")}, "got one for pose"),
        (
            {"network": NetworkSpec(variant="hrnet_w18", task="classification", num_outputs=4)},
            "has 4 classes and there are 3 names",
        ),
    ],
)
def test_fields_that_do_not_fit_are_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        make_spec(**fields)


def test_the_facts_hold_all_that_changes_the_input(spec):
    facts = spec.facts(flip_test=True)
    assert facts["resize"] == 72
    assert facts["interpolation"] == "bilinear"
    assert facts["flip_test"] is True
    assert facts["mean"] == spec.mean
    assert spec.words() == ["short side 72 bilinear", "3 classes"]


def test_facts_of_published_weights_become_a_description():
    network = NetworkSpec(variant="hrnet_w18", task="classification", num_outputs=1000)
    facts = {"name": "x", "network": network, "input_size": (288, 288), "resize": 288}
    spec = ClassificationSpec.from_facts({**facts, "classes": "imagenet"})
    assert spec is not None
    assert spec.class_names[:2] == ("tench", "goldfish")
    assert ClassificationSpec.from_facts({"name": "x", "network": network}) is None
    with pytest.raises(InputError, match="class_names: Field required"):
        ClassificationSpec.from_facts(facts)


def test_imagenet_has_1000_classes_in_the_order_of_their_ids():
    names = imagenet_names()
    assert len(names) == len(set(names.values())) == 1000
    assert list(names) == sorted(names)
    assert names["n02012849"] == "crane (bird)"
    assert names["n03126707"] == "crane (machine)"
    assert list(names.values())[999] == "toilet tissue"

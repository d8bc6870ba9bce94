"""The description in a model file: written and read back alike, and refused where it is wrong."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hrnet.errors import InputError
from hrnet.skeleton import COCO_PERSON, Skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks import read_spec
from hrnet.tasks.pose.spec import PoseSpec

SPEC = PoseSpec(
    network=NetworkSpec(variant="hrnet_w32", task="pose", num_outputs=17),
    name="mine",
    input_size=(256, 192),
    skeleton=COCO_PERSON,
)
sides = st.integers(1, 20).map(lambda number: 32 * number)
positive = st.floats(1e-3, 1e3)


@settings(max_examples=40)
@given(
    size=st.tuples(sides, sides),
    codec=st.sampled_from(["classic", "dark", "udp", "exact"]),
    activation=st.sampled_from(["none", "softmax"]),
    blur=st.sampled_from([None, 3, 11, 99]),
    sigma=positive,
    padding=positive,
    points=st.sampled_from([1, 5, 17, 21]),
    name=st.text(max_size=20),
)
def test_reading_what_was_written_gives_the_same(
    size, codec, activation, blur, sigma, padding, points, name
):
    spec = PoseSpec(
        network=NetworkSpec(variant="hrnet_w48", task="pose", num_outputs=points),
        name=name,
        input_size=size,
        codec=codec,
        activation=activation,
        sigma=sigma,
        blur_kernel=blur,
        padding=padding,
        skeleton=Skeleton(tuple(f"k{index}" for index in range(points)), edges=((0, 0),)),
    )
    again = PoseSpec.from_json(spec.to_json())
    assert again == spec
    assert isinstance(again.skeleton, Skeleton)
    assert isinstance(again.input_size, tuple)
    assert again.to_json() == spec.to_json()


def test_the_codec_has_heatmaps_of_a_quarter():
    codec = SPEC.heatmap_codec
    assert (codec.kind, codec.input_size, codec.heatmap_size) == ("classic", (256, 192), (64, 48))


@pytest.mark.parametrize(
    ("sigma", "given", "expected"),
    [(0.1, None, 3), (1.5, None, 9), (2, None, 11), (3, None, 17), (3, 11, 11)],
)
def test_the_smoothing_follows_sigma_unless_it_is_given(sigma, given, expected):
    spec = PoseSpec.model_validate({**SPEC.model_dump(), "sigma": sigma, "blur_kernel": given})
    assert spec.heatmap_codec.blur_kernel == expected
    assert ("blur_kernel" in spec.to_json()) == (given is not None)  # older versions read the rest


@pytest.mark.parametrize("rate", [None, 0.0, 0.3])
def test_a_drop_path_is_written_where_one_was_asked_for(rate):
    network = NetworkSpec(variant="hrformer_base", task="pose", num_outputs=17, drop_path=rate)
    pose = SPEC.model_copy(update={"network": network})
    for spec in (pose, network):
        assert type(spec).from_json(spec.to_json()) == spec
        assert ("drop_path" in spec.to_json()) == (rate is not None)
    assert pose.network.drop_path == network.options.drop_path == rate


def test_a_description_of_format_1_is_read_as_one_of_today():
    """As files before had it: the network's fields stood among the model's."""
    old = {"format": 1, "task": "pose", "variant": "hrnet_w32", "name": "mine"}
    old |= {"input_size": [256, 192], "options": {"head": "v2"}}
    old |= {"skeleton": json.loads(SPEC.to_json())["skeleton"]}
    network = SPEC.network.model_copy(update={"head": "v2"})
    for spec in (PoseSpec.from_json(json.dumps(old)), read_spec(json.dumps(old))):
        assert spec == SPEC.model_copy(update={"network": network})
    for broken in ({"options": 5}, {"variant": None}, {"skeleton": []}, {"task": "oops"}):
        with pytest.raises(InputError, match=r"not the description|expected a task"):
            read_spec(json.dumps(old | broken))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"task": "pose"}', "variant: Field required"),
        ('{"variant": "a", "task": "pose", "num_outputs": "x"}', "num_outputs: .*valid integer"),
        ('{"variant": "a"}', "task: Field required"),
        ('{"variant": "a", "task": "pose", "heads": "v2"}', "heads: Extra inputs"),
        ("[1, 2]", "description: "),
    ],
)
def test_wrong_descriptions_of_networks_are_refused_in_one_line(text, message):
    with pytest.raises(InputError, match=message) as error:
        NetworkSpec.from_json(text)
    assert "\n" not in str(error.value)


def test_a_network_has_no_usual_task():
    with pytest.raises(ValidationError, match="task"):
        NetworkSpec.model_validate({"variant": "hrnet_w32"})


def changed(**changes: object) -> str:
    return json.dumps({**json.loads(SPEC.to_json()), **changes})


def network(**changes: object) -> str:
    return changed(network={**json.loads(SPEC.network.to_json()), **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (changed(oops=1), "oops: Extra inputs are not permitted"),
        (changed(input_size=[250, 192]), r"multiples of 4, got \(250, 192\)"),
        (changed(input_size=[0, 192]), r"multiples of 4, got \(0, 192\)"),
        (changed(input_size=[256]), "input_size"),
        (changed(sigma=0), "above 0"),
        (changed(sigma=1e-300), "above 0, at least 0.001"),
        (changed(padding=1e-9), "above 0, at least 0.001"),
        (changed(padding=1e9), "padding must be at most 1000"),
        (changed(mean=[0, -1e300, 0]), "mean and std must be at most 1000"),
        (changed(input_size=[32, 32 * 10**8]), "input_size"),
        (changed(input_size=[2048, 2048]), "at most 2,097,152 pixels in all"),
        (changed(network={"variant": "v" * 300}), "variant: .*at most 200 characters"),
        (changed(sigma=1e9), "sigma must be at most 1000"),
        (changed(blur_kernel=12), "blur_kernel: .*odd blur_kernel from 3 to 99, got 12"),
        (changed(blur_kernel=10**9 + 1), "odd blur_kernel from 3 to 99"),
        (changed(blur_kernel=11.5), "blur_kernel: .*integer"),
        (changed(std=[1, 0, 1]), "above 0"),
        (changed(sigma=float("nan")), "sigma: .*finite number"),
        (changed(mean=[0, float("inf"), 0]), "mean.1: .*finite number"),
        (changed(codec="simcc"), "codec: .*'classic', 'dark', 'udp', 'exact' or 'face'"),
        (network(drop_path=1), "drop_path: .*from 0 to below 1, got 1.0; 0 keeps"),
        (network(drop_path="x"), "network.drop_path: .*valid number"),
        (changed(format=3), "format: Input should be 2"),
        (network(task="segmentation"), "expected a network for pose, got one for segmentation"),
        (network(num_outputs=3), "the network has 3 keypoints and the skeleton 17"),
        (changed(skeleton={"names": []}), "at least one keypoint name"),
        (changed(skeleton={"names": ["a"], "sigmas": [0.1, 0.2]}), "expected 1 positive sigmas"),
        (changed(skeleton={"names": ["a"], "oops": 1}), "skeleton.oops"),
        (changed(skeleton={"names": ["a"], "sigmas": [1e-300]}), "expected 1 positive sigmas"),
        (changed(skeleton={"names": ["a"] * 1001}), "at most 1000 keypoints, .* got 1001, 0 and 1"),
        (changed(skeleton={"names": ["a"], "edges": [[0, 0]] * 3001}), "3000 bones .* 1, 3001"),
        (changed(skeleton={"names": ["a" * 201]}), "200 letters in a name, got 1, 0 and 201"),
        ("{}", "name: Field required"),
        ("[1, 2]", "description: "),
        ("not json", "Invalid JSON"),
        ("", "Invalid JSON"),
    ],
)
def test_wrong_descriptions_are_refused_in_one_line(text, message):
    with pytest.raises(InputError, match=message) as error:
        PoseSpec.from_json(text)
    assert str(error.value).startswith("not the description of a model")
    assert "export the model again" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_endless_description_is_refused_before_it_is_read():
    for kind in (PoseSpec, NetworkSpec):
        with pytest.raises(InputError, match="at most 1,048,576 characters, this one has 2,0"):
            kind.from_json("[" * 2_000_000)

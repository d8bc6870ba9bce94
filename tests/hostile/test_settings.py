"""Settings and options with any value: read, or refused with the setting named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hrnet
from hrnet.config import override
from hrnet.tasks.pose.config import KeypointData, PoseExperiment, PoseModelConfig

from . import odd
from .conftest import few, hostile

EXPERIMENT = PoseExperiment(
    name="x",
    model=PoseModelConfig(variant="small_hrnet_w16"),
    data=KeypointData(annotations="no.json", images="nowhere"),
)
NAMES = sorted(
    f"{part}.{name}"
    for part in ("model", "data", "augmentation", "train", "run")
    for name in EXPERIMENT.model_dump(mode="json")[part]
)
texts = st.one_of(
    st.builds(odd.dumps, odd.values),
    st.sampled_from(odd.TEXTS),
    st.text(max_size=8),
)


@hostile
@given(name=st.one_of(st.sampled_from(NAMES), st.text(max_size=8)), text=texts)
def test_any_value_of_any_setting(name, text):
    try:
        changed = override(EXPERIMENT, [f"{name}={text}"])
    except hrnet.InputError:
        return
    assert PoseExperiment.from_json(changed.to_json()) == changed


@few
@given(name=st.sampled_from(NAMES), text=texts)
def test_any_setting_from_the_command_line(ask, tmp_path, name, text):
    """The annotations do not exist, so nothing is trained."""
    (tmp_path / "e.json").write_text(EXPERIMENT.to_json())
    setting = f"{name}={text}".replace("\0", "\x01")
    command = ("train", "--config", tmp_path / "e.json", "--out", tmp_path / "run")
    assert ask(*command, "--set", setting)[0] == 2


@hostile
@given(text=st.one_of(st.sampled_from(odd.TEXTS), st.text(max_size=8)))
def test_any_name_of_a_recipe_model_or_weights(ask, text):
    text = text.replace("\0", "\x01")
    for command in (
        ("train",),
        ("recipes",),
        ("models",),
        ("weights", "list"),
        ("weights", "verify"),
    ):
        ask(*command, "--", text)


@pytest.mark.parametrize("option", ["--num-keypoints", "--num-classes", "--window", "--input"])
@few
@given(number=st.sampled_from((0, -1, 1, 10**9, 2**31, 2**63 - 1, 2**63, 10**20, 10**400)))
def test_any_number_of_keypoints(ask, option, number):
    value = f"{number}x{number}" if option == "--input" else number
    ask("info", "small_hrnet_w16", f"{option}={value}")

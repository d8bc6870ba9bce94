"""Weights go into a network of the same form alone."""

import pytest

import hrnet
from hrnet.errors import InputError
from hrnet.weights.checkpoint import save_checkpoint


@pytest.mark.parametrize(
    ("variant", "options", "other"),
    [
        ("litehrnet_18", {}, {"exchange": "textbook"}),
        ("hrnet_w18_small_v1", {}, {"strided_padding": "same"}),
        (
            "hrnet_w18_small_v1",
            {"head": "v2", "align_corners": True},
            {"head": "v2", "align_corners": False},
        ),
    ],
)
def test_another_form_of_the_same_shape_is_refused(variant, options, other, tmp_path):
    """Names and shapes fit, but the answers would be another network's."""
    trained = hrnet.create_model(variant, num_outputs=2, options=options)
    save_checkpoint(tmp_path / "a.safetensors", trained, trained.spec)
    network = hrnet.create_model(variant, num_outputs=2, options=other)
    name = [*other][-1]
    with pytest.raises(InputError, match=rf"holds weights of a network with {name} .*, but this"):
        hrnet.load_weights(network, tmp_path / "a.safetensors")
    # The backbone alone is compared too, but not what only the head reads.
    if name == "align_corners":
        hrnet.load_weights(network, tmp_path / "a.safetensors", new_head=True)
    else:
        with pytest.raises(InputError, match=f"with {name}"):
            hrnet.load_weights(network, tmp_path / "a.safetensors", new_head=True)
    hrnet.load_weights(
        hrnet.create_model(variant, num_outputs=2, options=options), tmp_path / "a.safetensors"
    )


def test_windows_of_another_size_start_with_new_position_tables(tmp_path):
    """Published trainings of segmentation go on from ImageNet weights with windows of 7."""
    trained = hrnet.create_model("hrformer_tiny", task="classification", num_outputs=2)
    save_checkpoint(tmp_path / "a.safetensors", trained, trained.spec)
    larger = hrnet.create_model(
        "hrformer_tiny", task="segmentation", num_outputs=2, options={"window": 9}
    )
    before = {name: value.clone() for name, value in larger.state_dict().items()}
    notes = hrnet.load_weights(larger, tmp_path / "a.safetensors", new_head=True)
    tables = [name for name in before if name.endswith("relative_position_bias_table")]
    assert f"{len(tables)} new position tables, for windows of another size made" in notes
    theirs = trained.state_dict()
    for name, value in larger.state_dict().items():
        if name.startswith("head.") or name in tables:
            assert value.equal(before[name])
        else:
            assert value.equal(theirs[name])
    # Tables of the same windows are taken.
    same = hrnet.create_model("hrformer_tiny", task="segmentation", num_outputs=2)
    hrnet.load_weights(same, tmp_path / "a.safetensors", new_head=True)
    assert all(same.state_dict()[name].equal(theirs[name]) for name in tables)


def test_a_segmentation_network_starts_from_the_backbone_of_a_pose_network(tmp_path):
    trained = hrnet.create_model("litehrnet_18")
    save_checkpoint(tmp_path / "a.safetensors", trained, trained.spec)
    network = hrnet.create_model("litehrnet_18", task="segmentation", num_outputs=2)
    hrnet.load_weights(network, tmp_path / "a.safetensors", new_head=True)
    mine, theirs = network.backbone.state_dict(), trained.backbone.state_dict()
    assert theirs.keys() <= mine.keys()
    assert all(mine[name].equal(value) for name, value in theirs.items())

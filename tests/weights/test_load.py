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

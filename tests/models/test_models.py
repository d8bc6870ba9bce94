"""Networks: built by name, any number of keypoints, and the same result in every way of running."""

import pytest
import torch
from torch import nn

from hrnet.errors import InputError
from hrnet.models import VARIANTS, create_model

every_variant = pytest.mark.parametrize("variant", VARIANTS)


def ready(model: nn.Module) -> nn.Module:
    """In eval mode, with weights that keep the signal's size, unlike the tiny ones of training."""
    draw = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            scale = parameter[0].numel() ** -0.5
            parameter.data.normal_(0, scale, generator=draw)
    return model.eval()


@pytest.fixture(scope="module")
def small() -> nn.Module:
    return ready(create_model("small_hrnet_w16"))


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(3, 3, 64, 96, generator=torch.Generator().manual_seed(1))


def close(ours: torch.Tensor, expected: torch.Tensor) -> bool:
    return bool((ours - expected).abs().max() <= 2e-5 * expected.abs().max())


@every_variant
@pytest.mark.parametrize("points", [1, 5, 17, 133])
def test_heatmaps_have_a_quarter_of_the_size(variant, points):
    with torch.device("meta"):
        model = create_model(variant, num_keypoints=points)
        assert model(torch.empty(2, 3, 64, 96)).shape == (2, points, 16, 24)


@pytest.mark.parametrize("size", [(32, 32), (32, 160), (256, 192)])
def test_any_multiple_of_32_works(small, size):
    with torch.no_grad():
        assert small(torch.zeros(1, 3, *size)).shape == (1, 17, size[0] // 4, size[1] // 4)


@pytest.mark.parametrize("size", [(33, 32), (32, 48), (31, 31), (96, 72)])
def test_other_sizes_are_refused_with_the_multiple(small, size):
    message = f"multiples of 32, got {size[0]}x{size[1]}; resize or pad"
    with pytest.raises(ValueError, match=message):
        small(torch.zeros(1, 3, *size))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "hrnet_w23"}, "unknown variant 'hrnet_w23'; did you mean .*hrnet_w32"),
        ({"variant": "small_hrnet"}, "did you mean .*small_hrnet_w16"),
        ({"variant": "zzz"}, "unknown variant 'zzz'; `hrnet models` lists them"),
        ({"variant": ""}, "unknown variant ''"),
        ({"num_keypoints": 0}, "num_keypoints of 1 or more, got 0"),
        ({"num_keypoints": -3}, "num_keypoints of 1 or more, got -3"),
        ({"task": "cooking"}, "cannot build small_hrnet_w16: task: .*'pose', 'segmentation'"),
        ({"head": "ocr"}, "expected one of v1, v2 as the head for pose, got 'ocr'"),
        ({"window": 7}, "small_hrnet_w16 has no window, got 7; leave it out"),
        ({"num_classes": 3}, "the task pose has no num_classes, got 3; leave it out"),
        ({"task": "detection", "head": "v2"}, "expected none as the head for detection"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(arguments, message):
    with pytest.raises(InputError, match=message) as error:
        create_model(**{"variant": "small_hrnet_w16", **arguments})
    assert "\n" not in str(error.value)


def test_a_batch_is_its_members(small, images):
    with torch.no_grad():
        assert close(small(images), torch.cat([small(image[None]) for image in images]))
        assert small(images[:0]).shape == (0, 17, 16, 24)


def test_the_result_depends_on_the_image(small, images):
    with torch.no_grad():
        first, second = small(images[:2])
    assert (first - second).abs().max() > 0.1 * first.abs().max()


def test_the_memory_layout_changes_nothing(images):
    model = ready(create_model("small_hrnet_w16", num_keypoints=5))
    with torch.no_grad():
        expected = model(images)
        moved = model.to(memory_format=torch.channels_last)
        assert close(moved(images.contiguous(memory_format=torch.channels_last)), expected)


def test_the_network_leaves_its_input_alone(small, images):
    before = images.clone()
    small(images)
    assert torch.equal(images, before)


@every_variant
def test_every_parameter_learns(variant):
    """In training mode each parameter gets a gradient: nothing is built that is not used."""
    model = ready(create_model(variant, num_keypoints=5)).train()
    if variant != "small_hrnet_w16":
        model = model.to("meta")
    device = next(model.parameters()).device
    model(torch.ones(2, 3, 64, 64, device=device)).square().mean().backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None]


def test_a_step_of_training_lowers_the_loss():
    torch.manual_seed(0)
    model = create_model("small_hrnet_w16", num_keypoints=2).train()
    images, target = torch.randn(2, 3, 64, 64), torch.rand(2, 2, 16, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(5):
        loss = (model(images) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_fresh_weights_are_drawn_as_published():
    torch.manual_seed(0)
    model = create_model("small_hrnet_w16")
    weights = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    spread = torch.cat([conv.weight.flatten() for conv in weights]).std().item()
    assert spread == pytest.approx(0.001, rel=0.01)
    assert all(not conv.bias.any() for conv in weights if conv.bias is not None)
    torch.manual_seed(0)
    again = create_model("small_hrnet_w16").state_dict()
    assert all(torch.equal(again[name], value) for name, value in model.state_dict().items())


def test_torch_export_captures_the_network(small, images):
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(small, (images[:2],), dynamic_shapes=({0: batch},))
    with torch.no_grad():
        assert close(program.module()(images), small(images))


def test_torch_compile_captures_the_whole_network(small, images):
    torch.compiler.reset()
    compiled = torch.compile(small, fullgraph=True, backend="eager")
    with torch.no_grad():
        assert close(compiled(images), small(images))
    torch.compiler.reset()

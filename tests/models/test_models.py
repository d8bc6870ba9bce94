"""Networks: built by name, any number of keypoints, and the same result in every way of running."""

import copy
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import nn

from hrnet.errors import InputError
from hrnet.models import VARIANTS, create_model
from hrnet.models.highres import StageConfig
from hrnet.models.hrnet import HRNetConfig
from hrnet.spec import NetworkOptions

every_variant = pytest.mark.parametrize("variant", VARIANTS)
every_family = pytest.mark.parametrize(
    "variant", ["small_hrnet_w16", "naive_litehrnet_18", "hrformer_tiny"]
)
"""The quickest network of each family."""
every_answer = pytest.mark.parametrize(
    ("arguments", "shapes"),
    [
        ({"task": "pose", "num_outputs": 5}, [(5, 16, 24)]),
        ({"task": "pose", "num_outputs": 133, "options": {"head": "v2"}}, [(133, 16, 24)]),
        ({"task": "segmentation", "num_outputs": 2}, [(2, 16, 24)]),
        ({"task": "segmentation", "options": {"head": "ocr"}}, [(19, 16, 24)] * 2),
        ({"task": "classification"}, [(1000,)]),
        (
            {"task": "detection"},
            [(256, 16, 24), (256, 8, 12), (256, 4, 6), (256, 2, 3), (256, 1, 1)],
        ),
    ],
)


def outputs(answer: object) -> list[torch.Tensor]:
    return list(answer) if isinstance(answer, (list, tuple)) else [answer]


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


@every_family
@every_answer
def test_every_family_answers_every_task(variant, arguments, shapes):
    with torch.device("meta"):
        model = create_model(variant, **arguments)
    answer = model(torch.empty(2, 3, 64, 96, device="meta"))
    assert [tuple(output.shape) for output in outputs(answer)] == [(2, *shape) for shape in shapes]


@every_variant
def test_the_backbone_alone_declares_its_streams(variant):
    with torch.device("meta"):
        backbone = create_model(variant, task="features").backbone
        streams = backbone(torch.empty(1, 3, 64, 96))
    widths = VARIANTS[variant].stages[-1].widths
    assert backbone.channels == widths
    assert backbone.strides == (4, 8, 16, 32)
    assert [tuple(stream.shape[1:]) for stream in streams] == [
        (channels, 64 // stride, 96 // stride)
        for channels, stride in zip(widths, backbone.strides, strict=True)
    ]


def test_a_network_of_ones_own_figures_can_be_built():
    stages = tuple(StageConfig(1, 1, (8, 12, 20, 24)[:n]) for n in (2, 3, 4))
    model = create_model(HRNetConfig(16, 1, stages), task="features")
    assert [x.shape[1] for x in model.eval()(torch.zeros(1, 3, 32, 32))] == [8, 12, 20, 24]
    assert model.spec.variant == "custom HRNetConfig"


@pytest.mark.parametrize("size", [(50, 75), (33, 64), (7, 9)])
@pytest.mark.parametrize("align_corners", [False, True])
def test_segmentation_takes_any_size(size, align_corners):
    options = NetworkOptions(align_corners=align_corners)
    model = create_model("small_hrnet_w16", task="segmentation", options=options)
    expected = tuple(-(-side // 4) for side in size)
    assert model.eval()(torch.zeros(1, 3, *size)).shape[2:] == expected


def test_a_pyramid_of_too_small_an_image_is_refused():
    with torch.device("meta"):
        model = create_model("small_hrnet_w16", task="detection")
        with pytest.raises(ValueError, match=r"64 pixels or more a side.*got about 96x32"):
            model(torch.empty(1, 3, 96, 32))


def test_the_ways_of_up_sampling_differ(images):
    answers = []
    for options in (
        {},
        {"upsampling": "bilinear"},
        {"upsampling": "bilinear", "align_corners": False},
    ):
        torch.manual_seed(0)
        answers.append(ready(create_model("small_hrnet_w16", options=options))(images[:1]))
    assert not any(close(a, b) for a, b in combinations(answers, 2))


@every_family
def test_gradient_checkpointing_changes_memory_alone(variant, images):
    """Loss, gradients and running statistics are those of ordinary training."""
    torch.manual_seed(0)
    plain = ready(create_model(variant, num_outputs=2)).train()
    saving = copy.deepcopy(plain)
    saving.backbone.checkpoint_gradients()
    kept = [0, 0]
    for index, model in enumerate((plain, saving)):

        def count(tensor: torch.Tensor, index: int = index) -> torch.Tensor:
            kept[index] += tensor.nbytes
            return tensor

        torch.manual_seed(1)  # the same blocks are dropped
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            loss = model(images).square().mean()
        loss.backward()
    assert kept[1] < kept[0] / 2
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(parameter.grad, saving.get_parameter(name).grad)
    for name, buffer in plain.named_buffers():
        assert torch.equal(buffer, saving.get_buffer(name)), name


@pytest.mark.parametrize("size", [(32, 32), (32, 160), (256, 192)])
def test_any_multiple_of_32_works(small, size):
    with torch.no_grad():
        assert small(torch.zeros(1, 3, *size)).shape == (1, 17, size[0] // 4, size[1] // 4)


SIZES = pytest.mark.parametrize("size", [(33, 32), (32, 48), (31, 31), (96, 72)])


@SIZES
def test_other_sizes_are_refused_with_the_multiple(size):
    message = f"multiples of 32, got {size[0]}x{size[1]}; resize or pad"
    model = create_model("small_hrnet_w16", task="classification", num_outputs=2)
    with pytest.raises(ValueError, match=message):
        model(torch.zeros(1, 3, *size))


@SIZES
def test_pose_networks_fill_up_other_sizes(small, size):
    torch.manual_seed(0)
    images = torch.randn(1, 3, *size)
    height, width = (-(-side // 4) for side in size)
    filled = torch.zeros(1, 3, 96, 96)
    filled = filled[..., : -(-size[0] // 32) * 32, : -(-size[1] // 32) * 32].clone()
    filled[..., : size[0], : size[1]] = images
    with torch.no_grad():
        heatmaps = small.eval()(images)
        assert torch.equal(heatmaps, small(filled)[..., :height, :width])
    assert heatmaps.shape == (1, 17, height, width)


@pytest.mark.parametrize("variant", ["small_hrnet_w16", "naive_litehrnet_18", "hrformer_tiny"])
@pytest.mark.parametrize("stride", [4, 2, 1])
def test_heatmaps_of_each_stride(variant, stride):
    model = create_model(variant, num_outputs=3, options={"heatmap_stride": stride}).eval()
    with torch.no_grad():
        assert model(torch.randn(2, 3, 44, 64)).shape == (2, 3, 44 // stride, 64 // stride)


def test_a_finer_stride_arranges_the_maps_of_the_head():
    """Pixel (2 y + i, 2 x + j) of keypoint k is pixel (y, x) of map 4 k + 2 i + j."""
    model = create_model("small_hrnet_w16", num_outputs=3, options={"heatmap_stride": 2}).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        maps, heatmaps = model.head(model.backbone(images)), model(images)
    assert maps.shape == (1, 12, 16, 16)
    for k, i, j in np.ndindex(3, 2, 2):
        assert torch.equal(heatmaps[0, k, i::2, j::2], maps[0, 4 * k + 2 * i + j])


def test_the_background_is_expected_nearly_everywhere():
    options = {"background": True, "heatmap_stride": 2}
    model = create_model("small_hrnet_w16", num_outputs=5, options=options).eval()
    with torch.no_grad():
        chances = model(torch.randn(1, 3, 64, 64)).softmax(dim=1)
    assert chances.shape == (1, 6, 32, 32)
    assert chances[:, 5].min() > 0.98
    assert chances[:, :5].min() > 0


@pytest.mark.parametrize("name", ["presence", "heatmap_stride", "background"])
def test_other_tasks_have_no_options_of_pose(name):
    value = 2 if name == "heatmap_stride" else True
    with pytest.raises(InputError, match=f"segmentation has no {name}; leave it out"):
        create_model("small_hrnet_w16", task="segmentation", options={name: value})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "hrnet_w23"}, "unknown variant 'hrnet_w23'; did you mean .*hrnet_w32"),
        ({"variant": "small_hrnet"}, "did you mean .*small_hrnet_w16"),
        ({"variant": "zzz"}, "unknown variant 'zzz'; `hrnet models` lists them"),
        ({"variant": ""}, "unknown variant ''"),
        ({"num_outputs": 0}, "num_outputs of 1 or more, got 0"),
        ({"num_outputs": -3}, "num_outputs of 1 or more, got -3"),
        ({"num_outputs": "x"}, "cannot build small_hrnet_w16: num_outputs: .*valid integer"),
        ({"task": "cooking"}, "expected a task of pose, segmentation, .*got 'cooking'"),
        ({"options": {"head": "ocr"}}, "expected one of v1, v2 as the head for pose, got 'ocr'"),
        ({"options": {"window": 7}}, "small_hrnet_w16 has no window, got 7; leave it out"),
        ({"options": {"windows": 7}}, "cannot build small_hrnet_w16: windows: Extra inputs"),
        (
            {"task": "detection", "num_outputs": 3},
            "the task detection has no num_outputs, got 3; leave it out",
        ),
        (
            {"task": "segmentation", "options": {"head": "ocr_v3"}},
            "expected one of v2, ocr as the head for segmentation, got 'ocr_v3'",
        ),
        (
            {"task": "detection", "options": {"head": "v2"}},
            "expected one of pyramid, faster, mask, cascade, cascade_mask, fcos, light as the head",
        ),
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
    model = ready(create_model("small_hrnet_w16", num_outputs=5))
    with torch.no_grad():
        expected = model(images)
        moved = model.to(memory_format=torch.channels_last)
        assert close(moved(images.contiguous(memory_format=torch.channels_last)), expected)


def test_the_network_leaves_its_input_alone(small, images):
    before = images.clone()
    small(images)
    assert torch.equal(images, before)


@every_family
@every_answer
def test_every_parameter_learns(variant, arguments, shapes):
    """In training each parameter gets a gradient: nothing is built that is not used."""
    with torch.device("meta"):
        model = create_model(variant, **arguments).train()
    answers = outputs(model(torch.ones(2, 3, 64, 64, device="meta")))
    sum(answer.square().mean() for answer in answers).backward()
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert not [name for name, p in learning.items() if p.grad is None]


def test_a_step_of_training_lowers_the_loss():
    torch.manual_seed(0)
    model = create_model("small_hrnet_w16", num_outputs=2).train()
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


@every_answer
def test_torch_export_captures_the_network(arguments, shapes, images):
    """Any batch size; Lite-HRNet and HRFormer have this in tests of their own."""
    model = ready(create_model("small_hrnet_w16", **arguments))
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(model, (images[:2],), dynamic_shapes=({0: batch},))
    with torch.no_grad():
        captured, plain = outputs(program.module()(images)), outputs(model(images))
    assert all(close(a, b) for a, b in zip(captured, plain, strict=True))


@pytest.mark.slow
@every_answer
def test_torch_compile_captures_the_whole_network(arguments, shapes, images):
    model = ready(create_model("small_hrnet_w16", **arguments))
    torch.compiler.reset()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    with torch.no_grad():
        captured, plain = outputs(compiled(images)), outputs(model(images))
    torch.compiler.reset()
    assert all(close(a, b) for a, b in zip(captured, plain, strict=True))

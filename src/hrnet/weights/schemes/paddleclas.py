"""The files of PaddleClas: HRNet for classification, in the names of two revisions of its code.

Source of their names: state dictionaries of the code of 2024, and that of 2021. The head's
convolutions have no bias before a norm, where the official ones have one.
"""

from collections.abc import Iterator

from hrnet.weights.schemes.keymap import KeyMap, NameRule, conv_norm
from hrnet.weights.schemes.paddle import SE, read, without_head, write


def _key_map(conv: str, norm: str, transition: str, classifier: str) -> KeyMap:
    """Make the mapping of a revision; conv, norm: their names within a layer."""

    def layer(ours: str, theirs: str) -> list[NameRule]:
        return conv_norm(ours, f"{theirs}.{conv}", f"{theirs}.{norm}")

    stem, stages = "backbone.stem", "backbone.stages.stage"
    rows = [
        *(row for n in (1, 2) for row in layer(f"{stem}.{n - 1}", f"conv_layer1_{n}")),
        *layer(f"{stages}2.transition.0", f"{transition}1_1"),
        *layer(f"{stages}2.transition.1", f"{transition}1_2"),
        *layer(f"{stages}3.transition.2", f"{transition}2"),
        *layer(f"{stages}4.transition.3", f"{transition}3"),
        *layer("head.down.{}", "cls_head_conv_list.{}"),
        *layer("head.final", "conv_last"),
        ("head.classifier", classifier),
    ]
    for ours, theirs in ((f"{stem}.2", "layer1"), ("head.increase", "last_cls.func_list")):
        rows += layer(f"{ours}.{{}}.shortcut", f"{theirs}.{{}}.conv_down")
        for n in (1, 2, 3):
            rows += layer(f"{ours}.{{}}.conv{n}", f"{theirs}.{{}}.conv{n}")
    for number in (2, 3, 4):
        module, theirs = f"{stages}{number}.module{{}}", f"st{number}.stage_func_list.{{}}"
        for n in (1, 2):
            block = f"{theirs}.basic_block_list.{{}}.{{}}.conv{n}"
            rows += layer(f"{module}.streams.{{}}.{{}}.conv{n}", block)
        for count, path in enumerate(_paths(number)):
            residual = f"{theirs}.fuse_func.residual_func_list.{count}"
            rows += layer(f"{module}.exchange.paths.{path}", residual)
    return KeyMap(
        "PaddleClas" if classifier == "fc" else "PaddleClas 2021",
        "PaddleClas",
        "hrnet",
        "classification",
        rows=tuple(rows),
        required_keys=(
            f"st2.stage_func_list.0.basic_block_list.0.0.conv1.{conv}.weight",
            f"{classifier}.weight",
        ),
        output_layer=classifier,
        bias_free=("head.down.{}", "head.final"),
        others=(SE,),
        prepare=read(classifier),
        finish=write(classifier),
    )


def _paths(streams: int) -> Iterator[str]:
    """Yield the layers of an exchange in the order of its one list: target, source, step."""
    for target in range(streams):
        for source in range(streams):
            if source > target:
                yield f"{target}.{source}.project"
            yield from (f"{target}.{source}.{step}" for step in range(target - source))


KEY_MAPS: tuple[KeyMap, ...] = (
    _key_map("conv", "bn", "conv_tr", "fc"),
    _key_map("_conv", "_batch_norm", "tr", "out"),
)

BACKBONES: tuple[KeyMap, ...] = tuple(map(without_head, KEY_MAPS))

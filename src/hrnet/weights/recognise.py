"""The network of a state dictionary, recognised by its names and shapes alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from hrnet.errors import InputError, one_line
from hrnet.models import VARIANTS, build_network, family_of, hrformer
from hrnet.spec import NetworkOptions, NetworkSpec
from hrnet.weights.fit import Misfit, compare
from hrnet.weights.schemes import BACKBONES, FORMS
from hrnet.weights.schemes.form import Form, State, Taken
from hrnet.weights.schemes.hrformer import table_window

_WIDTH = "backbone.stages.stage2.module0.exchange.paths.0.1.project.conv.weight"
"""A tensor whose first dimension is the width of the highest stream, in every family."""

_TABLE = "attention.relative_position_bias_table"


@dataclass(frozen=True, slots=True)
class Recognised:
    """A network that was found in a file.

    form: how the file names it. spec: what it is. taken: its tensors by our names.
    """

    form: Form
    spec: NetworkSpec
    taken: Taken


def recognise(
    state: Mapping[str, Tensor],
    source: str,
    options: NetworkOptions | None = None,
    *,
    backbone: bool = False,
) -> Recognised:
    """Find out how a file names its tensors, and which network they are.

    options: what the weights cannot tell; what is None there is as the form's files usually mean.
    backbone: take the backbone alone and leave out what else there is. source: the file's name, for
    messages. Raises InputError, with the nearest variant and the first
    tensor that differs, where the network is not exactly one of `VARIANTS`.
    """
    problems: list[InputError] = []
    nearest: list[tuple[int, InputError]] = []
    for form in fitting_forms(state, source, backbone=backbone):
        try:
            taken = form.take_known(state) if backbone else form.take(state)
        except InputError as error:
            problems.append(error)
            continue
        found = _find_variant(form, taken, source, options or NetworkOptions())
        if isinstance(found, NetworkSpec):
            return Recognised(form, found, taken)
        nearest.append(found)
    if nearest:
        raise min(nearest, key=lambda pair: pair[0])[1]
    raise InputError(
        f"{source}: {problems[0]}; where only its backbone is wanted, load that with new_head"
    )


def fitting_forms(
    state: Mapping[str, Tensor], source: str, *, backbone: bool = False
) -> list[Form]:
    """Return the forms that a file may be of: with a head, or without where none is known.

    backbone: only those without.

    Raises InputError for files of other networks.
    """
    forms = [form for form in FORMS if form.fits(state) and not backbone]
    forms = forms or [form for form in BACKBONES if form.fits(state)]
    if not forms:
        some = one_line(", ".join(list(state)[:3]))[:200] or "nothing"
        raise InputError(
            f"{source} is not of HRNet, Lite-HRNet or HRFormer as any known project names their "
            f"tensors; it begins with {some}"
        )
    return forms


def expected_state(spec: NetworkSpec) -> State:
    """The names and shapes of a network's tensors, without memory for them and without drawing."""
    with torch.device("meta"):
        return build_network(spec).state_dict()


def _find_variant(
    form: Form, taken: Taken, source: str, options: NetworkOptions
) -> NetworkSpec | tuple[int, InputError]:
    """The network that fits exactly; or how far the nearest is, and the error about it."""
    if _WIDTH not in taken.state:
        return len(taken.state), InputError(f"{source} is not complete: a stage is missing")
    width = _first_side(taken.state[_WIDTH])
    misfits: list[tuple[int, InputError]] = []
    for variant in _candidates(form, width):
        spec = _spec(form, variant, taken.state, options)
        misfit = compare(expected_state(spec), taken.state)
        if not misfit.names:
            return spec
        misfits.append((len(misfit.names), _misfit_error(form, spec, taken.state, misfit, source)))
        if len(misfits) == 3:
            break
    return min(misfits, key=lambda pair: pair[0])


def _candidates(form: Form, width: int) -> list[str]:
    """The variants of a form's family, the nearest in width first."""
    # Two names of one body: for pose it is called small_hrnet_w16, and w18_small_v1 otherwise.
    hidden = "hrnet_w18_small_v1" if form.task == "pose" else "small_hrnet_w16"
    names = (name for name in VARIANTS if family_of(name) == form.family and name != hidden)
    return sorted(names, key=lambda name: abs(VARIANTS[name].stages[-1].widths[0] - width))


def _spec(form: Form, variant: str, state: State, options: NetworkOptions) -> NetworkSpec:
    settings = form.options.model_dump(exclude_none=True)
    settings |= options.model_dump(exclude_none=True, exclude={"head", "window"})
    settings |= _window(variant, state)
    if form.last:
        # Without outputs no network fits; the usual number gives the error with the nearest one.
        settings["num_outputs"] = _answers(form, state) or None
    return NetworkSpec(variant=variant, task=form.task, **settings)


def _answers(form: Form, state: State) -> int:
    """Return the number of keypoints or classes of the last layer."""
    ours = next(ours for ours, theirs in form.rows if theirs == form.last)
    return _first_side(state[f"{ours}.weight"])


def _first_side(value: Tensor) -> int:
    """The first dimension of a tensor; 0 where it has none, which fits no network."""
    return value.shape[0] if value.dim() else 0


def _window(variant: str, state: State) -> dict[str, int]:
    """The side of HRFormer's windows, where it is not the variant's own."""
    config = hrformer.VARIANTS.get(variant)
    table = next((value for name, value in state.items() if name.endswith(_TABLE)), None)
    if config is None or table is None:
        return {}
    window = table_window(table)
    return {} if window == config.window else {"window": window}


def _misfit_error(
    form: Form, spec: NetworkSpec, state: State, misfit: Misfit, source: str
) -> InputError:
    expected = expected_state(spec)
    name = misfit.names[0]
    theirs = their_name(form, name, expected.get(name, state.get(name)))
    if name in misfit.missing:
        problem = f"{theirs} is missing"
    elif name in misfit.unknown:
        problem = f"{theirs} is one too many"
    else:
        problem = f"{theirs} is {list(state[name].shape)} and there {list(expected[name].shape)}"
    return InputError(
        f"{source} is none of the known networks; the nearest is {spec.variant} for {spec.task}, "
        f"from which {len(misfit.names)} tensors differ: {problem}"
    )


def their_name(form: Form, ours: str, value: Tensor | None) -> str:
    """Return the file's name of a tensor of ours, for messages; our name where it has none."""
    try:
        names: Iterable[str] = form.give({ours: value}) if value is not None else ()
    except (InputError, KeyError):
        names = ()
    return next(iter(names), ours)

"""The description that a pose model needs besides its weights, before it can predict."""

from pydantic import ValidationError

from hrnet.codecs.heatmap import CodecKind
from hrnet.errors import InputError
from hrnet.geometry import Size
from hrnet.skeleton import Skeleton
from hrnet.spec import NetworkSpec, first_problem
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.weights.skeletons import published_skeleton, skeleton_names
from hrnet.weights.source import Source


def describe_pose(
    source: Source,
    input_size: Size | None,
    skeleton: str | None,
    codec: CodecKind | None,
    sigma: float | None,
    blur_kernel: int | None,
) -> PoseSpec | NetworkSpec:
    """Return all that is known of a source: a PoseSpec where it suffices for prediction.

    What is given goes before what catalogue or file say. A pose model of which nothing is known and
    nothing given stays a NetworkSpec. Raises InputError for half of what is needed, or what does
    not fit the weights.
    """
    given: dict[str, object] = {
        "input_size": input_size,
        "codec": codec,
        "sigma": sigma,
        "blur_kernel": blur_kernel,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if source.spec.task != "pose":
        _expect_nothing([*changes, *(["skeleton"] if skeleton else [])], source)
        return source.spec
    if skeleton is not None:
        changes["skeleton"] = _skeleton(skeleton, source)
    known = dict(source.pose) if source.pose else {"name": source.spec.variant}
    known |= {"network": source.spec} | changes
    if "input_size" not in known or "skeleton" not in known:
        if changes:
            raise InputError(_needed(source))
        return source.spec
    try:
        return PoseSpec.model_validate(known)
    except ValidationError as error:
        raise InputError(f"cannot describe {source.name}: {first_problem(error)}") from None


def _expect_nothing(names: list[str], source: Source) -> None:
    if names:
        raise InputError(
            f"{source.name} is of {source.spec.task}, which has no {names[0]}; leave it out"
        )


def _needed(source: Source) -> str:
    count = source.spec.num_outputs
    fitting = [name for name in skeleton_names() if published_skeleton(name).num_keypoints == count]
    return (
        f"expected an input size and a skeleton for {source.name}, which does not tell them; give "
        f"both: with {count} keypoints are known {', '.join(fitting) or 'no skeletons'}"
    )


def _skeleton(name: str, source: Source) -> Skeleton:
    found = published_skeleton(name)
    if found.num_keypoints != source.spec.num_outputs:
        raise InputError(
            f"expected a skeleton of {source.spec.num_outputs} keypoints for {source.name}, but "
            f"{name} has {found.num_keypoints}"
        )
    return found


def in_words(spec: NetworkSpec) -> str:
    """Describe a network in a few words: "hrnet_w32 for pose, num_outputs 17"."""
    options = spec.model_dump(exclude_none=True, exclude={"variant", "task"})
    return ", ".join([f"{spec.variant} for {spec.task}", *(f"{k} {v}" for k, v in options.items())])

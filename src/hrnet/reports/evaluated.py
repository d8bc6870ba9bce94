"""Evaluate a run's best checkpoint: its metrics, its cost and the sections of its task."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from hrnet.data.source import DataSource
from hrnet.evaluation import EvaluationResult, Progress, judge, open_model, predict_dataset
from hrnet.markup import Section
from hrnet.predict import BATCH_SIZE
from hrnet.spec import ModelSpec
from hrnet.tasks import TaskSections, get_task


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """A model with its metrics on labelled data.

    parameters, macs: of the network, for one input. meanings: metric -> its meaning in a few words,
    as far as the task has them. sections: the task's own.
    """

    spec: ModelSpec
    source: DataSource
    flip_test: bool
    result: EvaluationResult
    parameters: int
    macs: int
    meanings: Mapping[str, str]
    sections: tuple[Section, ...]


def evaluate_run(
    run: Path,
    source: DataSource,
    *,
    flip_test: bool = False,
    device: str = "auto",
    threads: int | None = None,
    batch_size: int = BATCH_SIZE,
    progress: Progress | None = None,
) -> Evaluated:
    """Evaluate the best checkpoint of a run folder, predicting once on each picture.

    Raises InputError as `hrnet.evaluate` does.
    """
    # The steps of `hrnet.evaluate`, with the results kept for the task's sections.
    model, runner = open_model(run, device=device, threads=threads)
    dataset = model.task.dataset(source)
    pairs = predict_dataset(
        model, dataset, flip_test=flip_test, batch_size=batch_size, progress=progress
    )
    result = judge(model, runner, dataset, pairs, flip_test=flip_test)
    parameters, macs = _cost(model.spec)
    # A task without a module of sections has the table of its metrics alone.
    name = get_task(model.spec.task).sections
    module: TaskSections | None = import_module(name) if name else None
    return Evaluated(
        spec=model.spec,
        source=source,
        flip_test=flip_test,
        result=result,
        parameters=parameters,
        macs=macs,
        meanings=module.METRIC_MEANING if module else {},
        sections=tuple(module.report_sections(model.task, pairs, dataset)) if module else (),
    )


def _cost(spec: ModelSpec) -> tuple[int, int]:
    """Count parameters and multiply-adds. torch is imported here, for pages without metrics."""
    import torch

    from hrnet.models import build_network
    from hrnet.models import cost as costs

    with torch.device("meta"):  # without weights: only counted
        cost = costs.measure(build_network(spec.network), spec.input_size)
    return cost.parameters, cost.macs

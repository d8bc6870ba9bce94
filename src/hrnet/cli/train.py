"""`hrnet train` and `hrnet recipes`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hrnet.cli.data import Category
from hrnet.errors import InputError

if TYPE_CHECKING:
    from hrnet.config import Experiment


Recipe = Annotated[str | None, typer.Argument(help="A recipe's name; `hrnet recipes` lists them.")]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN",
        help="New folder for checkpoints, log and settings; without it one in runs/.",
    ),
]
Data = Annotated[
    Path | None, typer.Option(metavar="FILE", help="COCO keypoint annotations of your own.")
]
Images = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Their images; without it beside --data or in images/."),
]
Val = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Annotations to measure on; without it a tenth of the images.",
    ),
]
Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help="An experiment.json, in place of a recipe.")
]
Resume = Annotated[
    Path | None,
    typer.Option(metavar="RUN", help="Go on with a run that was stopped, killed or ended."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="a.b=c", help="Change one setting; may be repeated."),
]


def train(
    recipe: Recipe = None,
    out: Out = None,
    data: Data = None,
    images: Images = None,
    val: Val = None,
    category: Category = None,
    config: Config = None,
    resume: Resume = None,
    settings: Settings = None,
) -> None:
    """Train a network: by a recipe, by an experiment.json, or on your own keypoints with --data.

    Several GPUs or machines: torchrun --nproc-per-node=N -m hrnet train ...
    """
    from hrnet.config import override, read_experiment
    from hrnet.engine.run_folder import EXPERIMENT
    from hrnet.recipes import get_recipe

    main = os.environ.get("RANK", "0") == "0"  # under torchrun one process speaks
    say = typer.echo if main else _silent
    ways = {"RECIPE": recipe, "--config": config, "--data": data, "--resume": resume}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) != 1:
        raise InputError(
            "expected one of RECIPE, --config FILE, --data FILE and --resume RUN, got "
            f"{' and '.join(given) or 'none'}; `hrnet recipes` lists recipes"
        )
    if data is None and (images or val or category):
        raise InputError(
            "--images and --val go with --data, as does --category; in a recipe it is "
            "--set data.images="
        )
    if resume is not None and out is not None:
        raise InputError("--resume goes on in its own folder; leave --out away")
    about: list[str] = []
    folder = resume or out or _new_folder(data or config or Path(str(recipe)))
    if resume is not None:
        experiment = read_experiment(resume / EXPERIMENT)
    elif config is not None:
        experiment = read_experiment(config)
    elif data is not None:
        experiment, about = _own(data, images, val, category, folder)
    else:
        experiment = get_recipe(str(recipe))
    experiment = override(experiment, settings or [])
    if data is not None:
        from hrnet.recipes.own import about_training

        for line in [*about, *about_training(experiment), f"run: {folder}"]:
            say(line)
    from hrnet.engine.train import train as run

    best = run(experiment, folder, resume=resume is not None, say=say)
    if best is not None:
        say(f"model written to {best}; use it with `hrnet predict IMAGE --model {folder}`")


def _silent(line: str) -> None:
    """What the processes that do not speak say."""


def _new_folder(source: Path) -> Path:
    """The first of runs/NAME, runs/NAME_2, ... that is free."""
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise InputError("expected --out RUN, which several processes need, got none")
    name = source.parent.name if source.name == "experiment.json" else source.stem
    folder, count = Path("runs") / name, 1
    while folder.exists():
        count += 1
        folder = Path("runs") / f"{name}_{count}"
    return folder


def _own(
    data: Path, images: Path | None, val: Path | None, category: str | None, out: Path
) -> tuple["Experiment", list[str]]:
    """An experiment for annotations of the user's own, and what is to be said of them."""
    from hrnet.engine.train import expect_no_run
    from hrnet.recipes.own import own_experiment

    expect_no_run(out)
    return own_experiment(data, images, val=val, out=out, category=category)


def recipes() -> None:
    """List the recipes and the first line of what each is."""
    from hrnet.recipes import RECIPES

    width = max(map(len, RECIPES))
    for name, recipe in RECIPES.items():
        typer.echo(f"{name:{width}}  {(recipe.__doc__ or '').splitlines()[0]}")

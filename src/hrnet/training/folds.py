"""Cross-validation: a training for each fold of one's own data, and the figures of all together.

    RUN/data/fold1_train.json, fold1_val.json, ...   the other folds, and the fold itself
    RUN/fold1/, fold2/, ...                          a run each
    RUN/folds.json                                   the plan, and the figures of what is done

A fold that has figures is done. What was interrupted goes on where its run stopped, so the figures
are those of a cross-validation that was never interrupted.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from hrnet.config import Experiment, override
from hrnet.data.split import split_folds
from hrnet.errors import InputError
from hrnet.evaluation import evaluate
from hrnet.files import exists, is_file, read_text, resolve
from hrnet.folds import Figures, Plan, part_of, read_folds, write_folds
from hrnet.recipes.finetune import own_experiment
from hrnet.run_folder import EXPERIMENT, FOLDS, LOG, STATE
from hrnet.tasks import read_experiment
from hrnet.training.folder import expect_no_run
from hrnet.training.train import train

MOST_FOLDS = 100


def start_folds(
    data: Path,
    images: Path,
    *,
    folds: int,
    out: Path,
    group: str | None = None,
    category: str | None = None,
    whole_images: bool = False,
    mm_per_pixel: float | None = None,
    settings: Sequence[str] = (),
    say: Callable[[str], None],
) -> dict[str, Figures] | None:
    """Deal a COCO file out to folds, and train and measure each; see `train_folds`.

    group: key of the images whose equal values stay in one fold.
    Raises InputError for data that cannot be dealt out so, before anything is written.
    """
    if exists(out / FOLDS):
        raise InputError(
            f"{out} already holds a cross-validation; go on with it by `hrnet train --resume {out}`"
        )
    expect_no_run(out)
    if not 2 <= folds <= MOST_FOLDS:
        raise InputError(f"expected --folds from 2 to {MOST_FOLDS}, got {folds}")
    names = tuple(f"fold{number}" for number in range(1, folds + 1))
    plan = Plan(names, str(images.resolve()), category, whole_images, mm_per_pixel, tuple(settings))
    is_new = not exists(out)
    try:
        alone = split_folds(data, out / "data", names, group=group, category=category)
        if alone:
            say(f"note: {alone} images have no {group} and stand alone")
        write_folds(out, plan, {})
        return train_folds(out, say)
    except InputError:
        # What was made for a training that never began goes, so that it can be asked for again.
        if is_new and not any(is_file(out / name / STATE) for name in names):
            shutil.rmtree(out, ignore_errors=True)
        raise


def train_folds(out: Path, say: Callable[[str], None]) -> dict[str, Figures] | None:
    """Train the folds that are left, and measure each on its own part.

    Returns the figures of each fold, or None where the training was asked to stop.
    """
    plan, done = read_folds(out)
    for name in plan.names:
        if name in done:
            say(f"{name}: done before")
            continue
        say(f"{name} of {len(plan.names)}:")
        if not _train_one(out, plan, name, say):
            return None
        found = evaluate(
            out / name,
            data=part_of(out, name, "val"),
            images=plan.images,
            category=plan.category,
            mm_per_pixel=plan.mm_per_pixel,
            device=read_experiment(out / name / EXPERIMENT).run.device,
        )
        done[name] = found.metrics
        write_folds(out, plan, done)
    return done


def _train_one(out: Path, plan: Plan, name: str, say: Callable[[str], None]) -> bool:
    """Train a fold from its start or from where it stopped; return whether it came to its end."""
    folder = out / name
    # A run without a saved state begins anew.
    if is_file(folder / EXPERIMENT):
        train(read_experiment(folder / EXPERIMENT), folder, resume=True, say=say)
    else:
        train(_experiment(out, plan, name, say), folder, say=say)
    if not is_file(folder / LOG):  # stopped before the first row
        return False
    rows = [json.loads(line) for line in read_text(folder / LOG, "the log").splitlines()]
    ends = [row["epoch"] for row in rows if row.get("kind") == "epoch"]
    return bool(ends) and max(ends) >= read_experiment(folder / EXPERIMENT).train.epochs


def _experiment(out: Path, plan: Plan, name: str, say: Callable[[str], None]) -> Experiment:
    """Choose the training of the first fold; the others have its settings on their own data."""
    first = out / plan.names[0]
    data = {part: resolve(part_of(out, name, part)) for part in ("train", "val")}
    if name != plan.names[0]:
        files = (f"data.annotations={data['train']}", f"data.val_annotations={data['val']}")
        say(f"settings: those of {plan.names[0]}")
        return override(read_experiment(first / EXPERIMENT), files)
    experiment, lines = own_experiment(
        data["train"],
        Path(plan.images),
        val=data["val"],
        out=first,
        category=plan.category,
        whole_images=plan.whole_images,
        mm_per_pixel=plan.mm_per_pixel,
        settings=plan.settings,
    )
    for line in lines:
        say(line)
    return experiment

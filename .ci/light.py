"""Try every command and public name in an environment without torch.

Run by `.ci/run` with the Python of an environment that holds the wheel alone, in a folder with the
classes.onnx, boxes.onnx and areas.onnx of `.ci/models.py`. A command works, or ends with exit code
2 and one line that names what to install; nothing ends in a traceback.
"""

import json
import subprocess
import sys
from pathlib import Path

from PIL import Image

from hrnet.skeleton import COCO_PERSON

WORKS = 0
REFUSES = 2

COMMANDS = (
    (WORKS, "--version"),
    (WORKS, "--help"),
    *((WORKS, f"{name} --help") for name in "predict evaluate train recipes export".split()),
    *((WORKS, f"{name} --help") for name in "models info convert report weights data".split()),
    (WORKS, "predict photo.png --json k.json --out drawn --flip-test --device cpu --threads 1"),
    (WORKS, "predict . --boxes keypoints.json --json -"),
    (WORKS, "predict photo.png --detector none --json -"),
    (WORKS, "predict photo.png --model person_finder --json -"),
    (REFUSES, "predict photo.png --detector boxes.onnx"),  # which finds no persons
    (REFUSES, "predict photo.png --detector missing.onnx"),
    (WORKS, "recipes"),
    (WORKS, "recipes pose/hrnet_w32_coco_256x192"),
    (WORKS, "models"),
    (WORKS, "models litehrnet"),
    (WORKS, "weights list"),
    (WORKS, "weights folder"),
    (WORKS, "data check keypoints.json --images ."),
    (WORKS, "data check boxes.json --images . --report checked"),
    (WORKS, "data check pets"),
    (WORKS, "data split pets --out pet_parts --val 0.5"),
    (WORKS, "predict photo.png --model classes.onnx --json classes.json --out drawn"),
    (WORKS, "evaluate classes.onnx --data pets --json metrics.json"),
    (REFUSES, "evaluate classes.onnx --data keypoints.json --images ."),
    (REFUSES, "train --data pets --out runs/c"),
    (WORKS, "predict photo.png other.png tall/a.png --model boxes.onnx --min-score 0 --out found"),
    (WORKS, "predict photo.png --model boxes.onnx --min-score 1 --json -"),
    (REFUSES, "predict photo.png --model boxes.onnx --boxes 1,2,3,4"),
    (REFUSES, "predict photo.png --model boxes.onnx --flip-test"),
    (REFUSES, "evaluate boxes.onnx --data boxes.json --images ."),  # needs pycocotools
    (REFUSES, "train --data boxes.json --images . --out runs/d"),
    (WORKS, "data check field --report field_checked"),
    (WORKS, "data split field --out field_parts --val 0.5"),
    (WORKS, "predict photo.png other.png --model areas.onnx --out areas --csv areas.csv"),
    (WORKS, "predict tall/a.png --model areas.onnx --set scales=[0.5,1] --flip-test --json -"),
    (REFUSES, "predict photo.png --model areas.onnx --set scales=[0]"),
    (WORKS, "evaluate areas.onnx --data field --json areas.json"),
    (REFUSES, "data masks boxes.json --images . --out drawn_masks"),  # needs pycocotools
    (REFUSES, "train --data field --out runs/e"),
    (WORKS, "data split keypoints.json --out parts --val 0.5"),
    (REFUSES, "data import yolo --out imported.json"),
    (REFUSES, "predict missing.jpg"),
    (REFUSES, "predict photo.png --engine openvino"),
    (REFUSES, "predict photo.png --model w.safetensors"),
    (REFUSES, "predict photo.png --model hrnet_w32-coco-256x192"),
    (REFUSES, "evaluate default --data keypoints.json --images ."),
    (REFUSES, "train pose/hrnet_w32_coco_256x192 --out runs/a"),
    (REFUSES, "train --data keypoints.json --images . --out runs/b"),
    (REFUSES, "train --resume runs/none"),
    (REFUSES, "models --count"),
    (REFUSES, "info litehrnet_18"),
    (REFUSES, "export default --out a.onnx"),
    (REFUSES, "convert w.pth w.safetensors"),
    (REFUSES, "report runs/none"),
)

PYTHON = (
    "import hrnet; found = hrnet.load('boxes.onnx').predict('photo.png', min_score=0); "
    "assert len(found) and found.masks().shape[1:] == (48, 64); found.save('found.csv')",
    "from hrnet import *",
    "import hrnet, pydoc; pydoc.render_doc(hrnet)",
    "import hrnet; assert len(hrnet.load(detector=None).predict('photo.png')) == 1",
    "import hrnet; assert len(hrnet.load().predict('photo.png')) == 0",
    "import hrnet; [getattr(hrnet, name) for name in dir(hrnet)]",
)


def prepare(folder: Path) -> None:
    """Make a picture, its keypoints as COCO and YOLO have them, and files that are no weights."""
    keypoints = [12.0, 9.0, 2, 40.0, 30.0, 2]
    subjects = [
        {"id": number, "image_id": number, "category_id": 1, "keypoints": keypoints, "iscrowd": 0}
        | {"bbox": [5, 4, 40, 30], "area": 700, "num_keypoints": 2}
        for number in (1, 2)
    ]
    names = ("photo.png", "other.png")
    content = {
        "categories": [{"id": 1, "name": "thing", "keypoints": ["left_end", "right_end"]}],
        "images": [
            {"id": number, "file_name": name, "height": 48, "width": 64}
            for number, name in enumerate(names, 1)
        ],
        "annotations": subjects,
    }
    (folder / "keypoints.json").write_text(json.dumps(content))
    # The same subjects with the 17 keypoints of the model `default`.
    person = {"id": 1, "name": "person", "keypoints": list(COCO_PERSON.names)}
    persons = [{**one, "keypoints": keypoints[:3] * 17, "num_keypoints": 17} for one in subjects]
    content |= {"categories": [person], "annotations": persons}
    (folder / "persons.json").write_text(json.dumps(content))
    # Boxes of three classes, on the same pictures.
    classes = [{"id": number, "name": name} for number, name in enumerate(("cat", "dog", "owl"))]
    boxes = [{"id": 1, "image_id": 1, "category_id": 0, "bbox": [5, 4, 40, 30], "area": 1200}]
    content |= {"categories": classes, "annotations": boxes}
    (folder / "boxes.json").write_text(json.dumps(content))
    for path in (*names, "yolo/images/a.png", "tall/a.png"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        size = (48, 64) if path.startswith("tall") else (64, 48)
        Image.new("RGB", size, "teal").save(folder / path)
    for name, colour in (("cat", "red"), ("dog", "tan"), ("owl", "teal")):
        (folder / "pets" / name).mkdir(parents=True, exist_ok=True)
        for number in range(2):
            picture = Image.new("RGB", (50 + number, 40), colour)
            picture.save(folder / "pets" / name / f"{number}.png")
    for number in range(2):
        for kind, mode in (("images", "RGB"), ("masks", "L")):
            (folder / "field" / kind).mkdir(parents=True, exist_ok=True)
            ground = (number * 90,) * 3 if mode == "RGB" else number
            Image.new(mode, (64, 48), ground).save(folder / "field" / kind / f"{number}.png")
    (folder / "field/classes.json").write_text(json.dumps({"classes": ["cat", "dog", "owl"]}))
    (folder / "yolo/data.yaml").write_text("kpt_shape: [2, 3]")
    for name in ("w.safetensors", "w.pth"):
        (folder / name).write_bytes(b"no weights")


def fault_of(code: int, wanted: int, errors: str) -> str:
    """Return what is wrong with a command's end, or an empty text."""
    lines = errors.splitlines()
    if "Traceback" in errors:
        return "ends in a traceback"
    if code != wanted:
        return f"ends with {code}, not {wanted}"
    if wanted == REFUSES and not (len(lines) == 1 and lines[0].startswith("hrnet: error: ")):
        return f"prints {len(lines)} lines, not one"
    return ""


def main() -> None:
    """Run all commands in the working folder; exit code 1 if one of them has a fault."""
    folder = Path.cwd()
    prepare(folder)
    bad = 0
    hrnet = [sys.executable, "-m", "hrnet"]
    tries = [(wanted, command, [*hrnet, *command.split()]) for wanted, command in COMMANDS]
    tries += [(WORKS, code, [sys.executable, "-c", code]) for code in PYTHON]
    for wanted, title, command in tries:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        fault = fault_of(done.returncode, wanted, done.stderr)
        bad += bool(fault)
        if fault:
            sys.stdout.write(f"{title}: {fault}\n{done.stderr}\n")
    sys.stdout.write(f"{len(tries) - bad} of {len(tries)} tries without torch went well\n")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()

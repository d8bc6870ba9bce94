"""Write small models of random weights as classes, boxes and areas.onnx into the working folder.

Run by `.ci/run` with torch, for the tries without it.
"""

from pathlib import Path

import torch

import hrnet

NAMES = ("cat", "dog", "owl")


def write(name: str, task: str, head: str | None, make_spec: type, **fields: object) -> None:
    """Export a network of random weights with its description."""
    torch.manual_seed(0)
    network = hrnet.create_model(
        "small_hrnet_w16", task=task, num_outputs=len(NAMES), options={"head": head}
    ).eval()
    spec = make_spec(
        name="random", network=network.spec, input_size=(64, 64), class_names=NAMES, **fields
    )
    hrnet.save_checkpoint(f"{name}.safetensors", network, spec)
    hrnet.export(f"{name}.safetensors", f"{name}.onnx")
    Path(f"{name}.safetensors").unlink()


write("classes", "classification", None, hrnet.ClassificationSpec, resize=72)
write("areas", "segmentation", "v2", hrnet.SegmentationSpec, window=(64, 64))
write("boxes", "detection", "mask", hrnet.DetectionSpec, fit=(64, 96), min_score=0.0)

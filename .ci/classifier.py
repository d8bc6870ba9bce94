"""Write a small classification model of random weights as classes.onnx into the working folder.

Run by `.ci/run` with torch, for the tries without it.
"""

from pathlib import Path

import torch

import hrnet

torch.manual_seed(0)
network = hrnet.create_model("small_hrnet_w16", task="classification", num_outputs=3).eval()
spec = hrnet.ClassificationSpec(
    name="random",
    network=network.spec,
    input_size=(64, 64),
    resize=72,
    class_names=("cat", "dog", "owl"),
)
hrnet.save_checkpoint("classes.safetensors", network, spec)
hrnet.export("classes.safetensors", "classes.onnx")
Path("classes.safetensors").unlink()

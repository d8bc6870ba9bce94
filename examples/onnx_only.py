"""Find keypoints without hrnet: python onnx_only.py model.onnx photo.jpg x,y,w,h"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

model, photo, box = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
spec = json.loads(session.get_modelmeta().custom_metadata_map["hrnet"])
image = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")
x, y, width, height = map(float, box.split(","))

# Cut the crop: the box grows to the aspect of the input, then by the padding. Pairs are (x, y).
size = np.array(spec["input_size"][::-1])
edge = 1 if spec["codec"] == "udp" else 0  # UDP measures from pixel centre to pixel centre
high = max(height, width * size[1] / size[0]) * spec["padding"]
step = np.array([high * size[0] / size[1], high]) / (size - edge)  # image pixels per crop pixel
corner = np.array([x + width / 2, y + height / 2]) - step * (size - edge) / 2
(a, e), (c, f) = step, corner + 1.5 - step / 2  # Pillow's pixel centres are at 0.5
image = ImageOps.expand(image, 1)  # a black border, into which the edge fades
crop = image.transform(tuple(size), Image.Transform.AFFINE, (a, 0, c, 0, e, f), Image.BILINEAR)

# Normalise the crop and run the network.
pixels = (np.asarray(crop) / 255 - spec["mean"]) / spec["std"]
(maps,) = session.run(["heatmaps"], {"images": pixels.transpose(2, 0, 1)[None].astype(np.float32)})[
    0
]

# Find the peak of each keypoint's map, and map it to the image.
kernel = spec.get("blur_kernel") or max(round(6 * spec["sigma"] - 1) // 2 * 2 + 1, 3)
taps = np.exp(-((np.arange(kernel) - kernel // 2) ** 2) / (2 * (0.15 * kernel + 0.35) ** 2))
for name, heat in zip(spec["skeleton"]["names"], maps, strict=True):
    (row, column), peak = np.unravel_index(heat.argmax(), heat.shape), heat.max()
    if spec["codec"] != "classic":  # smooth the map, and fit a Gaussian to its logarithm
        for axis in (0, 1):
            heat = np.apply_along_axis(np.convolve, axis, heat, taps / taps.sum(), mode="same")
        heat = np.log(np.clip(heat * peak / heat.max(), 1e-3, 50))
    p = np.pad(heat, 2, mode="edge")[row : row + 5, column : column + 5]
    slope = np.array([p[2, 3] - p[2, 1], p[3, 2] - p[1, 2]]) / 2
    if spec["codec"] == "classic":
        move = 0.25 * np.sign(slope)
    else:
        if spec["codec"] == "dark":  # second derivatives over two pixels
            xx, yy = p[2, [0, 2, 4]] @ [1, -2, 1] / 4, p[[0, 2, 4], 2] @ [1, -2, 1] / 4
            xy = (p[3, 3] - p[3, 1] - p[1, 3] + p[1, 1]) / 4
        else:
            xx, yy = p[2, 1:4] @ [1, -2, 1], p[1:4, 2] @ [1, -2, 1]
            xy = p[3, 3] - p[3, 2] - p[2, 3] + 2 * p[2, 2] - p[2, 1] - p[1, 2] + p[1, 1]
            xy /= 2
        is_peak = xx < 0 and xx * yy > xy * xy
        move = -np.linalg.solve([[xx, xy], [xy, yy]], slope) if is_peak else np.zeros(2)
    stride = (size - edge) / (np.array(heat.shape[::-1]) - edge)  # crop pixels per map pixel
    left, top = corner + (np.array([column, row]) + move) * stride * step
    print(f"{name:16} {left:7.1f} {top:7.1f}  {peak:.2f}")

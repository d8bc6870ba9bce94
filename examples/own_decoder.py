"""A segmentation decoder of one's own on the four streams of a high-resolution network.

    python examples/own_decoder.py

It trains on noise for a few steps: put pictures and masks of yours in place of it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import hrnet


class SumDecoder(nn.Module):
    """Bring all streams to one width, add them up at the highest resolution, and classify."""

    def __init__(self, channels: tuple[int, ...], num_classes: int, width: int = 64) -> None:
        super().__init__()
        self.project = nn.ModuleList(nn.Conv2d(count, width, 1) for count in channels)
        self.classify = nn.Conv2d(width, num_classes, 3, padding=1)

    def forward(self, streams: list[Tensor]) -> Tensor:
        size = streams[0].shape[-2:]  # a quarter of the picture's
        parts = [project(x) for project, x in zip(self.project, streams, strict=True)]
        joined = sum(F.interpolate(x, size, mode="bilinear") for x in parts)
        logits: Tensor = self.classify(F.relu(joined))
        return F.interpolate(logits, scale_factor=4, mode="bilinear")


torch.manual_seed(0)
backbone = hrnet.create_model("small_hrnet_w16", task="features")
hrnet.load_weights(backbone, "person_finder", new_head=True)  # or start from new weights
decoder = SumDecoder(backbone.backbone.channels, num_classes=3)
optimizer = torch.optim.AdamW([*backbone.parameters(), *decoder.parameters()], lr=1e-3)

pictures, masks = torch.randn(2, 3, 64, 96), torch.randint(3, (2, 64, 96))
for step in range(6):
    logits = decoder(backbone(pictures))  # (2, 3, 64, 96)
    loss = F.cross_entropy(logits, masks)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step + 1}: loss {loss.item():.3f}, logits {tuple(logits.shape)}")

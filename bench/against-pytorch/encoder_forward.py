"""The forward pass of a ViT-S/16 at 224 pixels in plain PyTorch: what encoder-forward.mjs is held against.

    python bench/against-pytorch/encoder_forward.py --threads 2 --rounds 9
"""

import argparse
import json
import statistics
import time

import torch
from torch import nn
from vit_block import DEPTH, PATCH, WIDTH, Block


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.positions = nn.Parameter(torch.randn(1, 196, WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)

    def forward(self, images):
        x = self.patches(images).flatten(2).transpose(1, 2) + self.positions
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=9)
options = parser.parse_args()
torch.set_num_threads(options.threads)
encoder = Encoder().eval()
with torch.inference_mode():
    for batch in (1, 32):
        images, times = torch.randn(batch, 3, 224, 224), []
        for _ in range(options.rounds + 1):
            started = time.perf_counter()
            encoder(images)
            times.append((time.perf_counter() - started) * 1e3)
        print(json.dumps({"batch": batch, "threads": options.threads, "ms": statistics.median(times[1:])}))

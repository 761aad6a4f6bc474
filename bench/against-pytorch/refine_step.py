"""One MIM-Refiner step (second stage) written plainly in PyTorch, timed on images of noise: what refine-step.mjs is held
against. ViT-S/16, two views of 224 pixels and ten of 96, eight heads of the published sizes, float32.

    python bench/against-pytorch/refine_step.py --threads 2 --batch 8 --steps 5
"""

import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn
from vit_block import DEPTH, PATCH, WIDTH, Block

GLOBAL_VIEWS, LOCAL_VIEWS = 2, 10
QUEUE, PROJECTOR, PREDICTOR, OUTPUT = 65536, 2048, 4096, 256
TOP_K, TEMPERATURE = 20, 0.2


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.register_buffer("positions", torch.randn(1, WIDTH, 14, 14))
        self.class_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)

    def forward(self, images, taps):
        x = self.patches(images)
        positions = self.positions
        if positions.shape[2:] != x.shape[2:]:
            positions = F.interpolate(positions, size=x.shape[2:], mode="bicubic", align_corners=False)
        x = (x + positions).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1)
        found = {}
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in taps:
                found[i] = x[:, 0]
        found["last"] = self.norm(x)[:, 0]
        return found


class Head(nn.Module):
    def __init__(self):
        super().__init__()

        def layer(inputs, outputs, last=False):
            parts = [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs)]
            return parts if last else [*parts, nn.GELU()]

        self.projector = nn.Sequential(
            *layer(WIDTH, PROJECTOR), *layer(PROJECTOR, PROJECTOR), *layer(PROJECTOR, OUTPUT, True)
        )
        self.predictor = nn.Sequential(*layer(OUTPUT, PREDICTOR), *layer(PREDICTOR, OUTPUT, True))
        self.register_buffer("queue", torch.randn(QUEUE, OUTPUT))
        self.register_buffer("index", torch.full((QUEUE,), -1))
        self.start = 0

    def forward(self, x, index):
        b = len(index)
        z = self.projector(x)
        p = self.predictor(z)
        anchors = z[: GLOBAL_VIEWS * b].detach()
        neighbours = self.look_up(anchors, index)
        self.queue[self.start : self.start + b] = anchors[:b]
        self.index[self.start : self.start + b] = index
        self.start = (self.start + b) % QUEUE
        views = lambda t: F.normalize(t, dim=-1).view(-1, b, OUTPUT)
        return self.loss(views(anchors), views(neighbours), views(p))

    @torch.no_grad()
    def look_up(self, anchors, index):
        similarity = F.normalize(anchors, dim=-1) @ F.normalize(self.queue, dim=-1).T
        similarity[(index[:, None] == self.index).repeat(GLOBAL_VIEWS, 1)] = -1
        best = similarity.topk(TOP_K).indices
        pick = torch.randint(TOP_K, (len(best), 1))
        return self.queue[best.gather(1, pick).squeeze(1)]

    def loss(self, z, n, p):
        b = z.shape[1]
        own = torch.eye(b, dtype=torch.bool)
        target = torch.arange(b)

        def term(i, j):
            positive = (n[i] * p[j]).sum(-1, keepdim=True)
            return F.cross_entropy(torch.where(own, positive, z[i] @ p[j].T) / TEMPERATURE, target)

        pairs = [(0, 1), (1, 0)] + [(i, j) for i in range(GLOBAL_VIEWS) for j in range(LOCAL_VIEWS)]
        return sum(term(i, j) for i, j in pairs) / len(pairs)


def groups(module, decay):
    matrices = [p for p in module.parameters() if p.ndim > 1]
    vectors = [p for p in module.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    taps = list(range(DEPTH - 2, DEPTH - 9, -1))
    encoder = Encoder()
    heads = nn.ModuleDict({str(tap): Head() for tap in ["last", *taps]})
    settings = {"lr": 1e-4, "betas": (0.9, 0.95), "fused": True}
    optimizers = [torch.optim.AdamW(groups(encoder, 0.05), **settings), torch.optim.AdamW(groups(heads, 1e-5), **settings)]
    large = torch.randn(GLOBAL_VIEWS * options.batch, 3, 224, 224)
    small = torch.randn(LOCAL_VIEWS * options.batch, 3, 96, 96)
    times, cpu_times = [], []
    for step in range(options.warm_up + options.steps):
        index = torch.arange(step * options.batch, (step + 1) * options.batch)
        started, cpu_started = time.perf_counter(), time.process_time()
        for optimizer in optimizers:
            optimizer.zero_grad()
        found = [encoder(images, taps) for images in (large, small)]
        total = sum(head(torch.cat([f[name if name == "last" else int(name)] for f in found]), index) for name, head in heads.items())
        total.backward()
        for optimizer in optimizers:
            optimizer.step()
        total.item()
        if step >= options.warm_up:
            times.append(1000 * (time.perf_counter() - started))
            cpu_times.append(1000 * (time.process_time() - cpu_started))
    result = {"stepMsMedian": statistics.median(times), "stepMsMin": min(times), "cpuMsMedian": statistics.median(cpu_times)}
    print(json.dumps(result | {"loss": total.item()}))


if __name__ == "__main__":
    main()

"""JPEG files to training batches with torchvision and Pillow: what `tessera bench loader` is held against.

    python bench/against-pytorch/loader.py FOLDER --size 224 --workers 2 --images 2048
"""

import argparse
import json
import time
from pathlib import Path

import torch
import torchvision.transforms as T
from PIL import Image

parser = argparse.ArgumentParser()
parser.add_argument("folder")
for name, default in {"size": 224, "batch": 64, "workers": 2, "images": 2048}.items():
    parser.add_argument(f"--{name}", type=int, default=default)
options = parser.parse_args()
WARM_UP = 2

transform = T.Compose(
    [
        T.RandomResizedCrop(options.size, scale=(0.6, 1.0), interpolation=T.InterpolationMode.BICUBIC),
        T.RandomHorizontalFlip(),
        T.PILToTensor(),
    ]
)


class Photos(torch.utils.data.Dataset):
    def __init__(self, folder):
        self.files = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in {".jpg", ".jpeg", ".png"})

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        with Image.open(self.files[index]) as image:
            return transform(image.convert("RGB"))


class Endless(torch.utils.data.Sampler):
    def __init__(self, size):
        self.size = size

    def __iter__(self):
        while True:
            yield from torch.randperm(self.size).tolist()


torch.set_num_threads(1)
photos = Photos(options.folder)
loader = iter(torch.utils.data.DataLoader(photos, options.batch, sampler=Endless(len(photos)), num_workers=options.workers))
batches = max(1, round(options.images / options.batch))
for _ in range(WARM_UP):
    next(loader)
started = time.perf_counter()
for _ in range(batches):
    next(loader)
seconds = time.perf_counter() - started
print(json.dumps({"imagesPerSecond": batches * options.batch / seconds, "workers": options.workers, "size": options.size}))

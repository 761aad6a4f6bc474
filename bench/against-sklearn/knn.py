"""Nearest neighbours by scikit-learn's brute force, timed once: what `tessera bench knn --python` is held against.

    python bench/against-sklearn/knn.py FOLDER --rows 20000 --width 384 --k 30 --metric cosine

FOLDER holds query.f32 and train.f32 (rows x width, float32); neighbours.i32 is written there (rows x k, int32). Prints one
line of JSON: seconds of fitting and searching by the clock and of the processor. Threads: OMP_NUM_THREADS and
OPENBLAS_NUM_THREADS.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import sklearn
from sklearn.neighbors import NearestNeighbors

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=Path)
for name in ("rows", "width", "k"):
    parser.add_argument(f"--{name}", type=int, required=True)
parser.add_argument("--metric", choices=("cosine", "L2"), required=True)
args = parser.parse_args()

query, train = (
    np.fromfile(args.folder / f"{name}.f32", dtype=np.float32).reshape(args.rows, args.width) for name in ("query", "train")
)
metric = {"cosine": "cosine", "L2": "euclidean"}[args.metric]
# Threads start and libraries load before the clock does.
NearestNeighbors(n_neighbors=args.k, algorithm="brute", metric=metric).fit(train[:256]).kneighbors(query[:256])

wall, processor = time.perf_counter(), time.process_time()
found = NearestNeighbors(n_neighbors=args.k, algorithm="brute", metric=metric).fit(train).kneighbors(query)
wall, processor = time.perf_counter() - wall, time.process_time() - processor
found[1].astype(np.int32).tofile(args.folder / "neighbours.i32")
print(json.dumps({"seconds": wall, "cpuSeconds": processor, "version": sklearn.__version__}))

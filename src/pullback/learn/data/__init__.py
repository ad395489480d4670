"""What networks learn from: pairs of scans on one grid, by name, from files, or drawn."""

from pullback.learn.data.augment import Augmentation
from pullback.learn.data.cines import cine
from pullback.learn.data.dataset import Dataset, split
from pullback.learn.data.digits import medmnist, mnist
from pullback.learn.data.drawn import chests, fives
from pullback.learn.data.fetch import cache_folder, data_folder, fetch
from pullback.learn.data.files import Grid, all_pairs, from_files
from pullback.learn.data.heart_drawing import HeartDrawing
from pullback.learn.data.hearts import hearts
from pullback.learn.data.named import dataset
from pullback.learn.data.pairs import PairBatch, Pairs, mixed
from pullback.learn.data.prepared import Cache, Scans

__all__ = [
    "Augmentation",
    "Cache",
    "Dataset",
    "Grid",
    "HeartDrawing",
    "PairBatch",
    "Pairs",
    "Scans",
    "all_pairs",
    "cache_folder",
    "chests",
    "cine",
    "data_folder",
    "dataset",
    "fetch",
    "fives",
    "from_files",
    "hearts",
    "medmnist",
    "mixed",
    "mnist",
    "split",
]

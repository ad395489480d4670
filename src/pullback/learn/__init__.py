"""Learned registration: networks that are trained on pairs, and then align a pair at once.

`networks` hold the only torch.nn.Modules of pullback; `data` gives pairs; `train` is the loop; `weights` are files that
say what they are. `pullback.registration.Predict` makes a stage of a trained network.
"""

from pullback.learn.data import (
    Augmentation,
    Cache,
    Dataset,
    Grid,
    HeartDrawing,
    PairBatch,
    Pairs,
    all_pairs,
    chests,
    cine,
    dataset,
    fetch,
    fives,
    from_files,
    hearts,
    medmnist,
    mnist,
)
from pullback.learn.loss import Loss
from pullback.learn.measure import by, by_group, measure, stay
from pullback.learn.networks import AffineNetwork, Network, PairNetwork, Prediction, Pyramid, VoxelMorph, warp
from pullback.learn.onnx_files import export_onnx, onnx_difference
from pullback.learn.predict import Answer, predict
from pullback.learn.recipe import TRAININGS, Training, TrainingRecipe, training
from pullback.learn.train import Progress, Trained, train
from pullback.learn.voxelmorph_files import from_voxelmorph
from pullback.learn.weights import Card, load_weights, save_weights

__all__ = [
    "TRAININGS",
    "AffineNetwork",
    "Answer",
    "Augmentation",
    "Cache",
    "Card",
    "Dataset",
    "Grid",
    "HeartDrawing",
    "Loss",
    "Network",
    "PairBatch",
    "PairNetwork",
    "Pairs",
    "Prediction",
    "Progress",
    "Pyramid",
    "Trained",
    "Training",
    "TrainingRecipe",
    "VoxelMorph",
    "all_pairs",
    "by",
    "by_group",
    "chests",
    "cine",
    "dataset",
    "export_onnx",
    "fetch",
    "fives",
    "from_files",
    "from_voxelmorph",
    "hearts",
    "load_weights",
    "measure",
    "medmnist",
    "mnist",
    "onnx_difference",
    "predict",
    "save_weights",
    "stay",
    "train",
    "training",
    "warp",
]

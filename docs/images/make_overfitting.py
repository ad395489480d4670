"""Draw docs/images/overfitting.svg: a lower loss is not a better map: `python docs/images/make_overfitting.py`."""

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np

import pullback as pb
from pullback.energy import MSE, Energy
from pullback.optimise import GradientDescent, Greedy, Level, Schedule
from pullback.registration import Optimise, Recipe

OUT = Path(__file__).with_name("overfitting.svg")
SIGMAS = (12.0, 8.0, 6.0, 4.0, 3.0, 2.0, 1.5, 1.0, 0.7, 0.5)
SEEDS = 1, 2, 3


def run(pair: pb.phantom.Pair, sigma: float) -> tuple[float, float, float]:
    """(loss, mean error of the heart in mm, folded voxels in per cent) with steps smoothed by so many voxels."""
    stage = Optimise(Greedy(smooth_update_voxels=sigma, smooth_total_voxels=0.0), Energy(MSE()), GradientDescent(0.5),
                     Schedule((Level(4, 60), Level(2, 60), Level(1, 120)), tolerance=1e-6))  # fmt: skip
    result = pb.register(pair.fixed, pair.moving, Recipe("one", "", (stage,)))
    heart = pair.fixed_labels.data > 0
    error = float(pb.evaluate.end_point_error(result.transform, pair.truth, pair.fixed.space, heart).nanmean())
    return result.quality.loss_after, error, result.quality.fold_percent


def main() -> None:
    mpl.rcParams.update({"svg.hashsalt": "pullback", "svg.fonttype": "path", "font.size": 10})
    space = pb.phantom.heart_space(2, (128, 128), (2.1, 2.1))
    pairs = [pb.phantom.heart_pair(space=space, seed=seed, noise=0.08) for seed in SEEDS]
    found = np.array([[run(pair, sigma) for pair in pairs] for sigma in SIGMAS]).mean(axis=1)
    for sigma, row in zip(SIGMAS, found, strict=True):
        print(sigma, row)
    names = "loss (mean square difference)", "error of the heart, mm", "folded voxels, %"
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.1), layout="constrained")
    for axis, name, values, colour in zip(axes, names, found.T, ("#0072b2", "#d55e00", "#009e73"), strict=True):
        axis.plot(SIGMAS, values, "o-", color=colour, markersize=4)
        axis.set_xscale("log")
        axis.set_xlim(14, 0.43)
        axis.set_xticks([12, 6, 3, 1.5, 0.7], ["12", "6", "3", "1.5", "0.7"])
        axis.minorticks_off()
        axis.set_ylim(0, None)
        axis.set_title(name, fontsize=11)
        axis.set_xlabel("smoothing of each step, voxels\n(stiff → free)")
    figure.savefig(OUT, metadata={"Date": None})


if __name__ == "__main__":
    main()

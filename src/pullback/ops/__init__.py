"""Kernels on bare tensors.

Every op is a folder: `__init__.py` holds the public function (the contract and its checks), `reference.py` the
definition in plain torch. Faster rows of the same op stand in files beside it and are chosen by `_dispatch`, never by
the caller. Ops know voxels only: no images, no files, no millimetres, no configuration.
"""

from pullback.ops._dispatch import Row, explain, recorded, use_kernels
from pullback.ops._memory import reused
from pullback.ops._replay import Replayed
from pullback.ops.compose import compose
from pullback.ops.exponential import exponential
from pullback.ops.ffd import ffd, ffd_fit
from pullback.ops.ffd_sample import ffd_points, ffd_sample, ffd_slopes
from pullback.ops.force import force
from pullback.ops.force_coarse import force_coarse
from pullback.ops.inside import inside
from pullback.ops.jacobian import jacobian
from pullback.ops.joint_histogram import joint_histogram
from pullback.ops.largest import largest, longest
from pullback.ops.lncc import lncc
from pullback.ops.mind import mind
from pullback.ops.mse import mse
from pullback.ops.ncc import ncc
from pullback.ops.pair_sums import PairSums, pair_sums
from pullback.ops.resize import resize
from pullback.ops.sample import sample, sample_points
from pullback.ops.sample_coarse import sample_coarse
from pullback.ops.sampled_histogram import sampled_histogram
from pullback.ops.sampled_mse import abreast, sampled_mse
from pullback.ops.smooth import smooth

__all__ = [
    "PairSums",
    "Replayed",
    "Row",
    "abreast",
    "compose",
    "explain",
    "exponential",
    "ffd",
    "ffd_fit",
    "ffd_points",
    "ffd_sample",
    "ffd_slopes",
    "force",
    "force_coarse",
    "inside",
    "jacobian",
    "joint_histogram",
    "largest",
    "lncc",
    "longest",
    "mind",
    "mse",
    "ncc",
    "pair_sums",
    "recorded",
    "resize",
    "reused",
    "sample",
    "sample_coarse",
    "sample_points",
    "sampled_histogram",
    "sampled_mse",
    "smooth",
    "use_kernels",
]

"""Synthetic hearts, a breathing chest and known warps, each with its exact answer.

`make(name)` makes one by name. Every phantom is a formula in the tissue's own coordinates, so its frames and pairs are
drawn, never resampled: the truth that comes with them has no interpolation error.
"""

from pullback.phantom.anatomy import Anatomy
from pullback.phantom.beating import Cine, beating_heart
from pullback.phantom.breathing import breathing_chest
from pullback.phantom.catalogue import make, names, options
from pullback.phantom.chest import chest_films
from pullback.phantom.contrast import Contrast
from pullback.phantom.handwriting import handwritten_fives
from pullback.phantom.heart import Phantom, heart, heart_space
from pullback.phantom.heart_pair import heart_pair
from pullback.phantom.heartbeat import Heartbeat, contraction_at
from pullback.phantom.mapping import MappingSeries, mapping_series
from pullback.phantom.noise import add_bias, add_noise
from pullback.phantom.pair import Pair
from pullback.phantom.scene import Scene
from pullback.phantom.short_axis import short_axis, short_axis_labels
from pullback.phantom.warps import AffineRange, known_warp, random_affine, warp_pair

__all__ = [
    "AffineRange",
    "Anatomy",
    "Cine",
    "Contrast",
    "Heartbeat",
    "MappingSeries",
    "Pair",
    "Phantom",
    "Scene",
    "add_bias",
    "add_noise",
    "beating_heart",
    "breathing_chest",
    "chest_films",
    "contraction_at",
    "handwritten_fives",
    "heart",
    "heart_pair",
    "heart_space",
    "known_warp",
    "make",
    "mapping_series",
    "names",
    "options",
    "random_affine",
    "short_axis",
    "short_axis_labels",
    "warp_pair",
]

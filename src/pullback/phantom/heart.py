"""A heart in its chest, in short axis: one slice, or a stack of thick ones."""

from __future__ import annotations

from dataclasses import dataclass

from pullback.errors import InputError
from pullback.image import Image, Labels
from pullback.phantom.contrast import Contrast
from pullback.phantom.noise import add_bias, add_noise
from pullback.phantom.scene import Scene
from pullback.space import Space

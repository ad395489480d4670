"""A heart that beats, with the exact place of every point of it in every frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pullback.errors import InputError
from pullback.image import Image, Labels
from pullback.phantom.contrast import Contrast
from pullback.phantom.heart import BIAS, NOISE, fitting_space, heart
from pullback.phantom.heartbeat import Heartbeat
from pullback.phantom.pair import Pair
from pullback.phantom.scene import Scene
from pullback.space import Space
from pullback.transforms import Displacement


@dataclass(frozen=True, eq=False)
class Cine:
    """Frames of one heart beat. Frame 0 is fixed, at the end of diastole; each other frame is moving.

    Attributes:
        frames: one image per phase, all on one grid.
        labels: 1 right ventricular cavity, 2 left ventricular wall, 3 left ventricular cavity, for each frame.
        transforms: for each frame t, where a point of frame 0 has gone: frames[t](transforms[t](x)) == frames[0](x).
        phases: part of the cycle that has passed, 0 to 1.
    """

    frames: tuple[Image, ...]
    labels: tuple[Labels, ...]
    transforms: tuple[Heartbeat, ...]
    phases: tuple[float, ...]

    @property
    def end_systole(self) -> int:
        """The frame that is most contracted."""
        return max(range(len(self.frames)), key=lambda t: self.transforms[t].contraction)

    def displacement(self, frame: int, space: Space | None = None) -> Displacement:
        """The exact transform to a frame, written down as vectors on a grid (frame 0's by default)."""
        space = self.frames[0].space if space is None else space
        return Displacement(self.transforms[frame].displace(space), space)

    def pair(self, frame: int | None = None) -> Pair:
        """Frame 0 as fixed and another one (the most contracted by default) as moving."""
        t = self.end_systole if frame is None else frame
        return Pair(self.frames[0], self.frames[t], self.transforms[t], self.labels[0], self.labels[t])


def beating_heart(
    frames: int | Sequence[float] = 20,
    dimension: int = 2,
    contrast: Contrast = "cine",
    space: Space | None = None,
    seed: int = 0,
    noise: float = NOISE,
    bias: float = BIAS,
) -> Cine:
    """A heart over one beat: radial thickening, twist, and in 3D shortening from base to apex; muscle keeps its volume.

    Every frame is drawn from the formula of the tissue at the place where each voxel came from; nothing is resampled,
    so without noise and bias the frames obey the transforms exactly. Slices are not blurred over their thickness.

    Args:
        frames: how many frames, evenly over the cycle, or their phases (0 end of diastole, 0.36 end of systole).
        dimension: 2 for one slice (which then neither shortens nor leaves its plane), 3 for a stack.
        contrast: cine or t2.
        space: the grid; `heart_space(dimension)` by default.
        seed: the same seed gives the same bits.
        noise: standard deviation of the Rician noise, another draw for each frame.
        bias: strength of the coil shading, the same in each frame.

    Raises:
        InputError: no frames, an unknown contrast or dimension, or a space of another dimension.

    Example:
        >>> from pullback.phantom import heart_space
        >>> cine = beating_heart((0.0, 0.36), space=heart_space(shape=(64, 64), spacing=(4, 4)))
        >>> cine.displacement(1).dimension, cine.end_systole
        (2, 1)
    """
    phases = tuple(t / frames for t in range(frames)) if isinstance(frames, int) else tuple(float(p) for p in frames)
    if not phases:
        raise InputError("a beating heart needs at least one frame; got none")
    shown = [heart(dimension, contrast, space, seed, noise, bias, slice_samples=1, phase=phase) for phase in phases]
    scene = Scene.at(fitting_space(space, dimension), seed)
    return Cine(
        tuple(frame.image for frame in shown),
        tuple(frame.labels for frame in shown),
        tuple(Heartbeat.at_phase(scene, phase) for phase in phases),
        phases,
    )

"""Pairs whose answer is known: synthetic hearts, hearts of two contrasts under random warps, pictures moved by known
amounts, and rigid starts from near and far."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from case_files import Case
from labelled_pairs import Made, read_quietly
from scipy.ndimage import binary_dilation

import pullback as pb
from pullback import ops
from pullback.image import Image, Labels
from pullback.phantom import AffineRange, known_warp
from pullback.phantom.noise import add_bias, add_noise
from pullback.space import Space
from pullback.transforms import Affine, Displacement, Transform, resample, resample_labels
from pullback.transforms.affine import rotation

CODES = {1: (200, 1220, 2221), 2: (500,), 3: (600,)}
"""Myocardium with its oedema and scar, blood of the left ventricle, of the right one."""
RIM = 8
"""Errors are measured so many voxels around the heart, too."""
ANGLES = (10, 20, 30, 45, 60, 90)
FARTHEST = 0.2


def phantoms(_: Path) -> Made:
    """Hearts made by code, so that anybody can run them: two contrasts of two sizes."""
    for seed, (one, other) in enumerate((("cine", "cine"), ("cine", "cine"), ("cine", "t2"), ("cine", "t2"))):
        yield f"{one}-{other}-{seed}", partial(_phantom, seed, other)


def _phantom(seed: int, other: str) -> Case:
    pair = pb.phantom.make("pair", seed=seed, moving_contrast=other, max_mm=10.0)
    labels = (pair.fixed_labels, pair.moving_labels)
    return Case(pair.fixed, pair.moving, (labels,), pair.truth, near(pair.fixed_labels))


def seedlike(data: Path) -> Made:
    """T2 under a known affine map and smooth warp (moving) and the cine image of the same slice (fixed)."""
    for path in sorted((data / "derived_seedlike").glob("*.npz")):
        yield path.stem.replace("seedlike_Case", ""), partial(_seedlike, path)


def _seedlike(path: Path) -> Case:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    space = Space.of_array(arrays["C0"].shape, arrays["spacing_mm"].tolist())
    vectors = torch.einsum("ij,j...->i...", space.linear, torch.from_numpy(arrays["disp_rowcol_px"]).double())
    made_by = Displacement(vectors, space)  # moving(y) = T2(made_by(y)), so the truth is its inverse
    truth = Displacement(made_by.inverse().displace(space), space)
    fixed, moving = (Labels.of(_three(arrays[name]), space=space) for name in ("label", "label_transformed"))
    images = (Image.of(arrays[name], space=space) for name in ("C0", "T2_transformed"))
    return Case(*images, ((fixed, moving),), truth, near(fixed) & _lands_inside(truth, space))


def myops(contrast: str, data: Path) -> Made:
    """T2 or LGE as it is (moving), and the cine image of the same slice under a fresh random warp (fixed)."""
    for folder in sorted((data / "myops_multiseq").glob("Case*")):
        yield folder.name.replace("Case", ""), partial(_myops, folder, contrast)


def _myops(folder: Path, contrast: str) -> Case:
    number = int(folder.name.replace("Case", ""))
    cine, labels = slice_of(folder, "C0")
    other, _ = slice_of(folder, contrast)
    window = _around(labels, 224)
    # 6 mm over 20 mm, 10 degrees, 6 % and 6 mm: as large as misplaced breath-holds, twice over
    ranges = AffineRange(angle_degrees=10.0, scale=0.06, shear=0.05, shift_mm=6.0)
    seed = number + {"T2": 0, "LGE": 5000}[contrast]
    truth = known_warp(window, seed, max_mm=6.0, smoothness_mm=20.0, affine=ranges)
    fixed, identity = resample(cine, truth, window, "cubic"), Affine.identity(2)
    pair = resample_labels(labels, truth, window), resample_labels(labels, identity, window)
    return Case(fixed, resample(other, identity, window), (pair,), truth, near(pair[0]) & _lands_inside(truth, window))


def itk(data: Path) -> Made:
    """Pictures that ITK's examples move by known amounts; the rotated ones as its Software Guide has them."""
    home = data / "itk_examples"
    answers = {
        "Shifted13x17y": _itk(shift=(13.0, 17.0)),
        "Rotated10": _itk(angle=math.radians(10), centre=(110.5, 128.5)),
        "R10X13Y17": _itk(angle=0.174482, centre=(123.182, 147.108), shift=(9.57676, 17.922)),
    }
    for name, truth in answers.items():
        for fixed in ("ProtonDensitySlice", "T1Slice"):
            paths = [home / f"Brain{fixed}Border20.png", home / f"BrainProtonDensitySlice{name}.png"]
            if all(path.exists() for path in paths):
                yield f"{fixed[:2]}-{name}", partial(_moved, paths, truth)


def _moved(paths: list[Path], truth: Affine) -> Case:
    fixed, moving = (read_quietly(path) for path in paths)
    return Case(fixed, moving, truth=truth)


def _itk(angle: float = 0.0, centre: tuple[float, ...] = (0.0, 0.0), shift: tuple[float, ...] = (0.0, 0.0)) -> Affine:
    """ITK's centred rigid transform, in LPS, as ours."""
    lps = torch.diag(torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64))
    c, s = math.cos(angle), math.sin(angle)
    linear = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    return Affine(lps @ Affine.about(linear, shift, centre).matrix @ lps)


def capture_2d(data: Path) -> Made:
    """One cine slice turned by 10 to 90 degrees and shifted by up to a fifth of the picture; parts leave the view."""
    for folder in sorted((data / "myops_multiseq").glob("Case*"))[:4]:
        for angle in ANGLES:
            yield f"{folder.name.replace('Case', '')}-{angle}", partial(_turned_slice, folder, angle)


def _turned_slice(folder: Path, angle: int) -> Case:
    cine, labels = slice_of(folder, "C0")
    window = _around(labels, 256)
    return _turned(lambda space, t: resample(cine, t, space, "cubic"), window, window, angle, folder.name)


def capture_3d(data: Path) -> Made:
    """A brain of 2 mm, likewise, about random axes; the moving grid holds it wherever it went."""
    path = data / "antspy" / "mni.nii.gz"
    for angle in ANGLES if path.exists() else ():
        for repeat in range(3):
            yield f"{angle}-{repeat}", partial(_turned_brain, path, angle, repeat)


def _turned_brain(path: Path, angle: int, repeat: int) -> Case:
    brain = read_quietly(path)
    half = brain.space.resized([n // 2 for n in brain.space.shape])
    small = Image(ops.resize(brain.data[None].float(), half.shape)[0], half)
    centred = torch.eye(4, dtype=torch.float64) * 2.0
    centred[:3, 3], centred[3, 3] = half.centre - 127.0, 1.0
    wide = Space((128, 128, 128), centred)
    return _turned(lambda space, t: resample(small, t, space), half, wide, angle, str(repeat))


def _turned(read: Callable[[Space, Transform], Image], fixed: Space, moving: Space, angle: int, name: str) -> Case:
    """moving(T(x)) = fixed(x) for a random rigid T, and both with noise and shading of their own."""
    d = fixed.dimension
    draw = np.random.default_rng([angle, d, *name.encode()])
    if d == 2:
        linear = rotation([float(angle * draw.choice([-1, 1]))], 2)
    else:
        axis = draw.standard_normal(3)
        x, y, z = (axis / np.linalg.norm(axis) * math.radians(angle)).tolist()
        linear = torch.linalg.matrix_exp(torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64))
    size = fixed.linear.abs() @ torch.tensor(fixed.shape, dtype=torch.float64)
    shift = torch.from_numpy(draw.uniform(-FARTHEST, FARTHEST, d)) * size
    truth = Affine.about(linear, shift.tolist(), fixed.centre)
    images = read(fixed, Affine.identity(d)), read(moving, truth.inverse())
    level = float(torch.quantile(images[0].data[images[0].data > 0][::7], 0.99))
    seen = [
        add_noise(add_bias(Image(image.data.clamp(min=0), image.space), 0.05, angle, side), 0.02 * level, angle, side)
        for image, side in zip(images, ("fixed", "moving"), strict=True)
    ]
    return Case(seen[0], seen[1], truth=truth)


def slice_of(folder: Path, contrast: str) -> tuple[Image, Labels]:
    """The middle labelled slice of one contrast, in its plane, and the labels of it."""
    stacks = [read_quietly(folder / f"{folder.name}_{name}.nii.gz") for name in (contrast, "gd")]
    codes = stacks[1].data[0].round().int()
    labelled = [k for k in range(len(codes)) if bool((codes[k] > 0).any())]
    k = labelled[len(labelled) // 2]
    space = Space.of_array(codes[k].shape, stacks[0].space.spacing[1:])
    return Image(stacks[0].data[:, k], space), Labels.of(_three(codes[k].numpy()), space=space)


def near(labels: Labels, rim: int = RIM) -> torch.Tensor:
    """The heart and so many voxels around it."""
    return torch.from_numpy(binary_dilation(labels.numpy() > 0, iterations=rim))


def _three(codes: np.ndarray) -> np.ndarray:
    if codes.max() < 100:
        return codes.astype(np.int16)
    return sum(np.isin(codes, many).astype(np.int16) * label for label, many in CODES.items())  # type: ignore[return-value]


def _around(labels: Labels, side: int) -> Space:
    """A square window with the heart in its middle, moved inward where it would leave the picture."""
    middle = (labels.data > 0).nonzero().double().mean(dim=0)
    start = [
        max(0, min(round(float(m)) - side // 2, n - side)) for m, n in zip(middle, labels.space.shape, strict=True)
    ]
    return labels.space.crop(start, [s + side for s in start])


def _lands_inside(truth: Transform, space: Space) -> torch.Tensor:
    voxels = space.to_voxels(truth(space.grid()))
    limit = torch.tensor(space.shape) - 2
    return ((voxels > 1) & (voxels < limit)).all(dim=-1)

"""Brains: one person's slice on another's by labels, a template on a template, pairs that come with masks."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from pullback import io, ops
from pullback.energy import NCC
from pullback.evaluate import mean_dice
from pullback.image import Image
from pullback.registration import register
from pullback.registration.recipes import named
from pullback.space import Space
from pullback.transforms import Affine, resample, resample_labels


def unlike(fixed: Image, warped: Image, weight: torch.Tensor | None = None) -> float:
    """1 - correlation, over all voxels or those of a mask."""
    return float(NCC().loss(fixed.data[None], warped.data[None], weight))


def coarser(image: Image, factor: float) -> Image:
    space = image.space.resized([round(n / factor) for n in image.space.shape])
    return Image(ops.resize(image.data[None], space.shape)[0], space)


@pytest.mark.slow
def test_one_brain_on_another_by_forty_labels(data_folder):
    """Ten people in a ring, each on the next: affine helps, a deformation helps more, and nothing folds."""
    folder = data_folder / "oasis_trt_2d"
    people = [*range(1, 11), 1]
    recipes = ("affine", "deformable", "brain-intersubject")
    scores = {name: [] for name in ("identity", *recipes)}
    for here, there in pairwise(people):
        fixed, moving = (io.read_image(folder / f"Atlases/OASIS-TRT-20-{n}_slice118.nii.gz") for n in (here, there))
        labels = [
            io.read_labels(folder / f"Labels/OASIS-TRT-20-{n}_DKT31_CMA_labels_slice118.nii.gz") for n in (here, there)
        ]
        results = {name: register(fixed, moving, named(name)) for name in recipes}
        assert all(result.ok for result in results.values())
        assert all(results[name].quality.fold_percent < 0.5 for name in recipes)
        assert results["brain-intersubject"].quality.fold_percent == 0  # it ends by unfolding
        transforms = {"identity": Affine.identity(2)} | {name: r.transform for name, r in results.items()}
        for name, transform in transforms.items():
            scores[name].append(mean_dice(labels[0], resample_labels(labels[1], transform, fixed.space)))
        assert scores["deformable"][-1] > scores["identity"][-1]
    identity, affine, deformable, people_apart = (float(np.mean(found)) for found in scores.values())
    assert affine > identity + 0.02
    assert deformable > affine + 0.05
    assert deformable > identity + 0.12
    assert people_apart > deformable


def test_a_template_on_a_template(data_folder):
    """ch2 on mni at 3 mm: nearly aligned, so the affine map is nearly nothing, and a deformation makes them alike."""
    fixed, moving = (coarser(io.read_image(data_folder / "antspy" / name), 3) for name in ("mni.nii.gz", "ch2.nii.gz"))
    assert fixed.space.spacing == pytest.approx((3, 3, 3), rel=0.02)
    before = unlike(fixed, resample(moving, Affine.identity(3), fixed.space))
    affine = register(fixed, moving, named("affine"))
    deformable = register(fixed, moving, named("deformable"))
    assert affine.ok
    assert deformable.ok
    assert float(affine.transform.displace(fixed.space).norm(dim=0).mean()) < 4
    assert unlike(fixed, affine.warped) < 0.95 * before
    assert unlike(fixed, deformable.warped) < 0.5 * before
    assert deformable.quality.fold_percent < 0.5


def test_a_template_whose_header_was_turned(data_folder):
    """The same brain with another header: what is found differs by exactly that turn."""
    fixed, moving = (coarser(io.read_image(data_folder / "antspy" / name), 3) for name in ("mni.nii.gz", "ch2.nii.gz"))
    turn = Affine.rigid([6.0, -8.0, 10.0], [12.0, -20.0, 9.0], fixed.space.centre)
    turned = Image(moving.data, Space(moving.space.shape, turn.matrix @ moving.space.matrix))
    plain, far = (register(fixed, image, named("rigid")).transform for image in (moving, turned))
    points = fixed.space.grid()
    assert float((far(points) - turn(plain(points))).norm(dim=-1).max()) < 0.1 * fixed.space.finest


@pytest.mark.slow
@pytest.mark.parametrize("contrast", ["01", "02"])
def test_blocks_moved_by_a_matrix(data_folder, contrast):
    """Phantoms of 128 voxels a side; the second has other grey values.

    The matrix that comes with them moved the fixed image's content: it takes moving points to fixed ones.
    """
    folder = data_folder / "greedy"
    fixed = io.read_image(folder / "phantom01_fixed.nii.gz")
    moving = io.read_image(folder / f"phantom{contrast}_moving.nii.gz")
    truth = Affine(torch.from_numpy(np.loadtxt(folder / "phantom01_rigid.mat"))).inverse()
    result = register(fixed, moving, named("rigid"))
    ends = torch.cartesian_prod(*torch.tensor([[0.0, n - 1.0] for n in fixed.space.shape], dtype=torch.float64))
    corners = fixed.space.to_world(ends)
    assert result.ok
    assert float((truth(corners) - corners).norm(dim=-1).min()) > 5
    assert float((result.transform(corners) - truth(corners)).norm(dim=-1).max()) < 0.1


def masked_pair(folder, names):
    fixed, moving, *masks = (io.read_image(folder / name) for name in names)
    return fixed, moving, [Image((mask.data > 0).float(), mask.space) for mask in masks]


def test_a_pair_with_masks(data_folder):
    """elastix's example: T1 on proton density, and what elastix itself made of it."""
    folder = data_folder / "elastix" / "dox" / "exampleinput"
    fixed, moving, masks = masked_pair(folder, ["fixed.mhd", "moving.mhd", "mask_fixed.mhd", "mask_moving.mhd"])
    solution = io.read_image(folder / "solution_deformedmovingimage.mhd")
    result = register(fixed, moving, named("multimodal"), fixed_mask=masks[0], moving_mask=masks[1])
    inside = masks[0].data[None]
    before = unlike(solution, resample(moving, Affine.identity(2), fixed.space), inside)
    assert result.ok
    assert result.quality.fold_percent < 0.5
    assert unlike(solution, result.warped, inside) < 0.6 * before


def test_what_stands_outside_the_masks_does_not_matter(data_folder):
    """The same pair with everything outside its masks replaced by noise gives the same transform."""
    folder = data_folder / "elastix" / "dox" / "exampleinput"
    fixed, moving, masks = masked_pair(folder, ["fixed.mhd", "moving.mhd", "mask_fixed.mhd", "mask_moving.mhd"])
    generator = torch.Generator().manual_seed(0)
    noisy = [
        Image(
            torch.where(mask.data > 0, image.data, 1000 * torch.rand(image.data.shape, generator=generator)),
            image.space,
        )
        for image, mask in zip((fixed, moving), masks, strict=True)
    ]
    settings = {"fixed_mask": masks[0], "moving_mask": masks[1]}
    one, other = (register(*images, named("affine"), **settings).transform for images in ((fixed, moving), noisy))
    points = fixed.space.grid()
    assert float((one(points) - points).norm(dim=-1).mean()) > 1
    assert float((one(points) - other(points)).norm(dim=-1).max()) < 0.01


def test_a_circle_and_a_square_that_are_no_anatomy(data_folder):
    """Slices of two brains with something pasted in, and masks that leave it out.

    Their headers put them 140 mm apart, and one is stored as a volume of a single slice.
    """
    folder = data_folder / "ants_masked_2d"
    names = ["r16sliceWithCircle.nii.gz", "r64sliceWithSquare.nii.gz", "r16mask.nii.gz", "r64mask.nii.gz"]
    fixed, moving, masks = masked_pair(folder, names)
    assert fixed.space.shape == (1, 256, 256)
    flat = Space((256, 256), fixed.space.matrix[[0, 1, 3]][:, [1, 2, 3]])
    fixed = Image(fixed.data[:, 0], flat)
    masks = [Image(mask.data, image.space) for mask, image in zip(masks, (fixed, moving), strict=True)]
    result = register(fixed, moving, named("deformable"), fixed_mask=masks[0], moving_mask=masks[1])
    assert result.ok
    assert result.quality.fold_percent < 0.5
    before = unlike(fixed, resample(moving, Affine.identity(2), flat), masks[0].data[None])
    assert unlike(fixed, result.warped, masks[0].data[None]) < 0.6 * before

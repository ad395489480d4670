"""ConvexAdam with descriptors made by hand (MIND), its numbers as they come: 3-D only, no linear stage.

Search over shifts of up to 4 times 6 voxels, Adam of 80 iterations on every second voxel, weight of smoothness 1.25,
both directions made consistent; single precision in the place of half, which processors are slow at. It compares voxel
with voxel, so moving is first resampled onto the grid of fixed: middles of the images together, of heads without
background centres of mass; that is as far as it goes in place of an affine stage. Stacks of thick slices are resampled
to cubes as fine as their finest axis, at least 1.25 mm, as its voxels should be alike along all axes.
"""

from __future__ import annotations

import sys

from task import Task, main, save_displacement

THICK = 3
"""Slices so many times as thick as the finest axis are made cubes of."""
LEAST_CUBE = 1.25
"""Mm: finer ones are too many for a processor."""


def frame(task: Task, fixed):
    """The grid to work on: fixed's own, or cubes over the same box."""
    import numpy as np
    import SimpleITK as sitk  # noqa: N813 - what everybody calls it

    spacing = np.array(fixed.GetSpacing())
    if spacing.max() <= THICK * spacing.min():
        return fixed
    side = max(LEAST_CUBE, float(spacing.min()))
    size = np.ceil(np.array(fixed.GetSize()) * spacing / side).astype(int).tolist()
    directions = np.array(fixed.GetDirection()).reshape(3, 3)
    grid = sitk.Image(size, sitk.sitkUInt8)
    grid.SetSpacing([side] * 3)
    grid.SetDirection(fixed.GetDirection())
    grid.SetOrigin((np.array(fixed.GetOrigin()) + directions @ ((side - spacing) / 2)).tolist())
    return grid


def place(image, onto, shift, default: float):
    import SimpleITK as sitk  # noqa: N813 - what everybody calls it

    method = sitk.ResampleImageFilter()
    method.SetReferenceImage(onto)
    method.SetTransform(sitk.TranslationTransform(3, list(shift)))
    method.SetDefaultPixelValue(default)
    return method.Execute(image)


def middle(task: Task, image):
    """Of the image, or of mass."""
    import numpy as np
    import SimpleITK as sitk  # noqa: N813 - what everybody calls it

    index = [(n - 1) / 2 for n in image.GetSize()]
    if task.stripped:
        weight = sitk.GetArrayFromImage(image).transpose(2, 1, 0).astype(float)
        weight -= weight.min()
        index = [float(np.average(np.arange(n), weights=weight.sum(tuple({0, 1, 2} - {axis})))) for axis, n in
                 enumerate(weight.shape)]  # fmt: skip
    return np.array(image.TransformContinuousIndexToPhysicalPoint(index))


def register(task: Task) -> None:
    if len(task.shape) != 3 or task.linear:
        sys.exit("ConvexAdam is 3-D and dense only")
    import numpy as np
    import SimpleITK as sitk  # noqa: N813 - what everybody calls it
    import torch
    from convexAdam.convex_adam_MIND import convex_adam_pt

    torch.set_num_threads(task.threads)
    fixed, moving = (sitk.ReadImage(path, sitk.sitkFloat32) for path in (task.fixed, task.moving))
    grid = frame(task, fixed)
    shift = np.zeros(3) if task.kind == "deformable" else middle(task, moving) - middle(task, fixed)
    pair = [place(image, grid, by, float(sitk.GetArrayViewFromImage(image).min())) for image, by in
            ((fixed, (0.0, 0.0, 0.0)), (moving, shift))]  # fmt: skip
    found = convex_adam_pt(*(sitk.GetArrayFromImage(image) for image in pair), dtype=torch.float32,
                           device=torch.device("cpu"))  # fmt: skip
    directions = np.array(grid.GetDirection()).reshape(3, 3)
    vectors = np.asarray(found, float)[..., ::-1] * grid.GetSpacing() @ directions.T + shift
    image = sitk.GetImageFromArray(vectors, isVector=True)
    image.CopyInformation(grid)
    sitk.WriteImage(image, task.path("warp.nrrd"))


def convert(task: Task) -> None:
    """The same at the voxels of fixed; whatever lies outside the grid of cubes is as at its rim."""
    import numpy as np
    import SimpleITK as sitk  # noqa: N813 - what everybody calls it

    method = sitk.ResampleImageFilter()
    method.SetReferenceImage(sitk.ReadImage(task.fixed))
    method.SetUseNearestNeighborExtrapolator(True)
    warp = method.Execute(sitk.ReadImage(task.path("warp.nrrd")))
    save_displacement(task, np.transpose(sitk.GetArrayFromImage(warp), (2, 1, 0, 3)))


def version() -> str:
    from importlib.metadata import version as installed

    return f"convexAdam {installed('convexAdam')}"


if __name__ == "__main__":
    main(register, convert, version)

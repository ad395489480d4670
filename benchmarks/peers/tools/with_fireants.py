"""FireANTs, through its Python interface, on the CPU: it is made for GPUs, and nothing here says how fast it is.

Affine (Adam, rate 0.003), then a greedy compositive warp (0.5; steps smoothed by 1 voxel, the whole by 0.25, which was
better than its default of 0.5 on slices of brains): rates, correlation over 5 voxels, scales 4, 2, 1 with 200, 100
and 50 iterations (25 for the warp at the last) are those of its quickstart; intensities between the 0.5th and the
99.5th percentile, as its command's example has it. It starts from matching image centres; heads in a 0 background from
centres of mass. Variant mi takes mutual information, for different contrasts: with a rigid stage before (rate 0.03) and
the warp's default smoothing, since without both it lost hearts that it finds with them.
Where nothing but a turn is wanted: rigid at 0.03, its default, then at a tenth of it; heads from their axes of inertia
(moments of order 2, as its command's example), pictures from centres of mass and by mutual information, which found
more of them than correlation.
Axes of fewer than 32 voxels stop it, so stacks of thick slices are resampled beforehand to cubes as fine as their
finest axis, at least 1.25 mm.
"""

from __future__ import annotations

from task import Task, main, places, save_displacement

SCALES = [4, 2, 1]
STEPS = [200, 100, 50]
WARP_STEPS = [200, 100, 25]
LEAST = 32
"""Voxels that an axis must have."""
LEAST_CUBE = 1.25
"""Mm: finer ones are too many for a processor."""


def cubes(task: Task, image):
    """A stack of thick slices, linearly between them, over the same box."""
    import numpy as np
    import SimpleITK as sitk  # noqa: N813 - what everybody calls it

    side = max(LEAST_CUBE, min(task.spacing))
    spacing = np.array(image.GetSpacing())
    size = np.ceil(np.array(image.GetSize()) * spacing / side).astype(int).tolist()
    directions = np.array(image.GetDirection()).reshape(3, 3)
    origin = np.array(image.GetOrigin()) + directions @ ((side - spacing) / 2)
    method = sitk.ResampleImageFilter()
    method.SetSize(size)
    method.SetOutputSpacing([side] * 3)
    method.SetOutputOrigin(origin.tolist())
    method.SetOutputDirection(image.GetDirection())
    method.SetUseNearestNeighborExtrapolator(True)
    return method.Execute(image)


def read(task: Task):
    """(fixed, moving), each a batch of one, intensities from 0 to 1."""
    import numpy as np
    import SimpleITK as sitk  # noqa: N813 - what everybody calls it
    from fireants.io.image import BatchedImages, Image

    images = [sitk.ReadImage(path, sitk.sitkFloat32) for path in (task.fixed, task.moving)]
    if len(task.shape) == 3 and min(min(image.GetSize()) for image in images) < LEAST:
        images = [cubes(task, image) for image in images]
    batches = []
    for image in images:
        low, high = (float(p) for p in np.percentile(sitk.GetArrayViewFromImage(image), (0.5, 99.5)))
        scaled = sitk.Clamp((image - low) / max(high - low, 1e-6), sitk.sitkFloat32, 0.0, 1.0)
        batches.append(BatchedImages([Image(scaled, device="cpu")]))
    return batches


def moments(task: Task, common: dict):
    """Where centres of mass match; of heads that lie anyhow, axes of inertia, too."""
    from fireants.registration.moments import MomentsRegistration

    order = 2 if task.stripped and task.kind == "rigid" else 1
    pair = {name: common[name] for name in ("fixed_images", "moving_images")}
    found = MomentsRegistration(scale=1, moments=order, **pair)
    found.optimize()
    return found


def rigid(task: Task, common: dict):
    """Matrix (1, d + 1, d + 1): at the rate that it comes with, then at a tenth of it, where that one leaves jitter."""
    from fireants.registration.rigid import RigidRegistration

    alone = task.kind == "rigid"
    begin = moments(task, common).get_rigid_init_dict() if alone or task.stripped else {"init_translation": "cof"}
    stage = RigidRegistration(SCALES, STEPS, optimizer_lr=3e-2, **common, **begin)
    stage.optimize()
    matrix = stage.get_rigid_matrix().detach()
    if alone:  # otherwise the affine stage goes on
        d = matrix.shape[-1] - 1
        begin = {"init_moment": matrix[:, :d, :d], "init_translation": matrix[:, :d, d]}
        stage = RigidRegistration(SCALES[1:], STEPS[1:], optimizer_lr=3e-3, **common, **begin)
        stage.optimize()
        matrix = stage.get_rigid_matrix().detach()
    return matrix


def affine(task: Task, common: dict):
    """Matrix, likewise."""
    from fireants.registration.affine import AffineRegistration

    begin = "cof"
    if mutual(task):
        begin = rigid(task, common)
    elif task.stripped:
        begin = moments(task, common).get_affine_init()
    stage = AffineRegistration(SCALES, STEPS, optimizer_lr=3e-3, init_rigid=begin, **common)
    stage.optimize()
    return stage.get_affine_matrix().detach()


def mutual(task: Task) -> bool:
    """Whether by mutual information."""
    return task.variant == "mi" or (task.kind == "rigid" and not task.stripped)


def register(task: Task) -> None:
    import numpy as np
    import torch
    from fireants.registration.greedy import GreedyRegistration

    torch.set_num_threads(task.threads)
    torch.manual_seed(1)
    fixed, moving = read(task)
    metric = {"loss_type": "mi"} if mutual(task) else {"loss_type": "cc", "cc_kernel_size": 5}
    common = {"fixed_images": fixed, "moving_images": moving, "progress_bar": False, **metric}
    matrix = None
    if task.kind != "deformable":
        matrix = (rigid if task.kind == "rigid" else affine)(task, common)
    if task.linear:
        np.savetxt(task.path("matrix.txt"), matrix[0].double().numpy())
        return
    smooth = {"smooth_warp_sigma": 0.5 if mutual(task) else 0.25, "smooth_grad_sigma": 1.0}
    warp = GreedyRegistration(SCALES, WARP_STEPS, optimizer_lr=0.5, init_affine=matrix, **smooth, **common)
    warp.optimize()
    save_warp(task, warp.get_warped_coordinates(fixed, moving)[0].detach(), fixed, moving)


def save_warp(task: Task, coordinates, fixed, moving) -> None:
    """From coordinates of [-1, 1] in moving to mm along the LPS axes, on the grid that was registered."""
    import SimpleITK as sitk  # noqa: N813 - what everybody calls it

    d = coordinates.shape[-1]
    matrix = moving.get_torch2phy()[0].to(coordinates)
    there = coordinates @ matrix[:d, :d].T + matrix[:d, d]
    grid = fixed.images[0].itk_image
    places = sitk.GetArrayFromImage(sitk.PhysicalPointSource(sitk.sitkVectorFloat64, grid.GetSize(), grid.GetOrigin(),
                                                             grid.GetSpacing(), grid.GetDirection()))  # fmt: skip
    image = sitk.GetImageFromArray(there.double().numpy() - places, isVector=True)
    image.CopyInformation(grid)
    sitk.WriteImage(image, task.path("warp.nrrd"))


def convert(task: Task) -> None:
    """The same at the voxels of the fixed grid; whatever lies outside the registered grid is as at its rim."""
    import numpy as np
    import SimpleITK as sitk  # noqa: N813 - what everybody calls it

    if task.linear:
        matrix, at = np.loadtxt(task.path("matrix.txt")), places(task.fixed)
        d = at.shape[-1]
        save_displacement(task, at @ matrix[:d, :d].T + matrix[:d, d] - at)
        return
    method = sitk.ResampleImageFilter()
    method.SetReferenceImage(sitk.ReadImage(task.fixed))
    method.SetUseNearestNeighborExtrapolator(True)
    vectors = sitk.GetArrayFromImage(method.Execute(sitk.ReadImage(task.path("warp.nrrd"))))
    d = vectors.shape[-1]
    save_displacement(task, np.transpose(vectors, (*reversed(range(d)), d)))


def version() -> str:
    from importlib.metadata import version as installed

    return f"fireants {installed('fireants')}"


if __name__ == "__main__":
    main(register, convert, version)

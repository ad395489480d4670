"""DIPY. Linear, as in its tutorial: centres of mass, translation, rigid, affine by mutual information of 32 bins,
10000, 1000 and 100 iterations at most (brains of 1 mm: 1000, 100, 10, to end the same day). Deformable: SyN with
cross-correlation of radius 4, 10, 10 and 5 iterations, the tutorial's and its command's default.
Variant long: 100, 50 and 25 iterations."""

from __future__ import annotations

import pickle

from task import Task, grid, main, places, save_displacement


def read(task: Task):
    """(fixed, its matrix, moving, its matrix, middle); DIPY turns about the origin, so that goes to the middle."""
    import nibabel as nib
    import numpy as np

    images, matrices = [], []
    d = len(task.shape)
    middle = None
    for path in (task.fixed, task.moving):
        images.append(np.asanyarray(nib.load(path).dataobj).astype(np.float64))
        directions, origin = grid(path)
        if middle is None:
            middle = origin + directions @ ((np.array(task.shape) - 1) / 2)
        matrix = np.eye(d + 1)
        matrix[:d, :d], matrix[:d, d] = directions, origin - middle
        matrices.append(matrix)
    return images[0], matrices[0], images[1], matrices[1], middle


def linear(task: Task, fixed, fixed_matrix, moving, moving_matrix):
    from dipy.align import transforms
    from dipy.align.imaffine import AffineRegistration, MutualInformationMetric, transform_centers_of_mass

    steps = [1000, 100, 10] if fixed.size > 2_000_000 else [10000, 1000, 100]
    factors = [4, 2, 1] if min(task.shape) > 16 else [1, 1, 1]
    method = AffineRegistration(
        metric=MutualInformationMetric(nbins=32, sampling_proportion=None),
        level_iters=steps,
        sigmas=[3.0, 1.0, 0.0],
        factors=factors,
        verbosity=0,
    )
    found = transform_centers_of_mass(fixed, fixed_matrix, moving, moving_matrix).affine
    names = ["Translation", "Rigid"] + ([] if task.kind == "rigid" else ["Affine"])
    for name in names:
        kind = getattr(transforms, f"{name}Transform{fixed.ndim}D")()
        found = method.optimize(
            fixed,
            moving,
            kind,
            None,
            static_grid2world=fixed_matrix,
            moving_grid2world=moving_matrix,
            starting_affine=found,
        ).affine
    return found


def register(task: Task) -> None:
    import numpy as np

    fixed, fixed_matrix, moving, moving_matrix, _ = read(task)
    found = np.eye(fixed.ndim + 1)
    if task.kind != "deformable":
        found = linear(task, fixed, fixed_matrix, moving, moving_matrix)
    if not task.linear:
        from dipy.align.imwarp import SymmetricDiffeomorphicRegistration
        from dipy.align.metrics import CCMetric

        steps = [100, 50, 25] if task.variant == "long" else [10, 10, 5]
        method = SymmetricDiffeomorphicRegistration(CCMetric(fixed.ndim, sigma_diff=2.0, radius=4), level_iters=steps)
        found = method.optimize(
            fixed, moving, static_grid2world=fixed_matrix, moving_grid2world=moving_matrix, prealign=found
        )
    with (task.out / "mapping.pickle").open("wb") as file:
        pickle.dump(found, file, protocol=5)


def convert(task: Task) -> None:
    *_, middle = read(task)
    with (task.out / "mapping.pickle").open("rb") as file:
        found = pickle.load(file)
    at = places(task.fixed) - middle
    d = at.shape[-1]
    if task.linear:
        there = at @ found[:d, :d].T + found[:d, d]
    else:
        there = found.transform_points(at.reshape(-1, d)).reshape(at.shape)
    save_displacement(task, there - at)


def version() -> str:
    from importlib.metadata import version as installed

    return f"dipy {installed('dipy')}"


if __name__ == "__main__":
    main(register, convert, version)

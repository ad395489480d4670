"""ANTs (antspyx), SyN.

Variants: (none) cross-correlation of radius 4, 100x70x50x20 iterations, as antsRegistrationSyN.sh has it; mid leaves
out full resolution (100x70x50x0); default is what antspyx does when nothing but "SyN" is asked for: mutual information,
40x20x0 iterations.
Both write the warp and its inverse, and warp both images: there is no switch against it.
"""

from __future__ import annotations

import os
import shutil

from task import Task, main


def register(task: Task) -> None:
    import ants

    fixed, moving = ants.image_read(task.fixed), ants.image_read(task.moving)
    settings: dict = {"fixed": fixed, "moving": moving, "outprefix": task.path("ants_"), "random_seed": 1}
    if task.linear:
        result = ants.registration(type_of_transform="Rigid" if task.kind == "rigid" else "Affine", **settings)
    else:
        if task.variant != "default":
            finest = 0 if task.variant == "mid" else 20
            settings |= {"syn_metric": "CC", "syn_sampling": 4, "reg_iterations": (100, 70, 50, finest)}
        if task.kind == "deformable":
            result = ants.registration(type_of_transform="SyNOnly", initial_transform="identity", **settings)
        else:
            result = ants.registration(type_of_transform="SyN", **settings)
    (task.out / "chain.txt").write_text("\n".join(result["fwdtransforms"]))


def convert(task: Task) -> None:
    import ants

    chain = (task.out / "chain.txt").read_text().split("\n")
    fixed, moving = ants.image_read(task.fixed), ants.image_read(task.moving)
    made = ants.apply_transforms(fixed, moving, chain, compose=task.path("whole_"))
    shutil.move(made, task.path("displacement.nii.gz"))


def version() -> str:
    from importlib.metadata import version as installed

    return f"antspyx {installed('antspyx')}"


if __name__ == "__main__":
    os.environ.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "1")
    main(register, convert, version)

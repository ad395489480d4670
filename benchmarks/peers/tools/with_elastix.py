"""elastix (itk-elastix): its default maps, with the edits that an expert makes.

Mutual information, B-splines with bending energy, 256 iterations of 2048 new samples at each level; four levels for
large images, pyramid and control points that respect thick slices, control points as close as the warp may need (a 24th
of the image, at most 8 mm apart). The number of threads is set through ITK: elastix's own setter, with 2, ended this
version in a crash.
"""

from __future__ import annotations

from task import Task, main, save_displacement


def register(task: Task) -> None:
    import itk

    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(task.threads)
    fixed, moving = itk.imread(task.fixed, itk.F), itk.imread(task.moving, itk.F)
    maps = {"rigid": ["rigid"], "affine": ["affine"], "deformable": ["bspline"], "full": ["affine", "bspline"]}
    levels = 4 if max(task.shape) > 150 else 3
    finest = min(task.spacing)
    pyramid = [str(max(1, round(2**k * finest / s))) for k in reversed(range(levels)) for s in task.spacing]
    parameters = itk.ParameterObject.New()
    for name in maps[task.kind]:
        chosen = dict(parameters.GetDefaultParameterMap(name, levels))
        for key in ("FixedImagePyramidSchedule", "MovingImagePyramidSchedule", "ImagePyramidSchedule"):
            chosen[key] = pyramid
        if name == "bspline":
            chosen.pop("FinalGridSpacingInPhysicalUnits", None)
            extent = min(n * s for n, s in zip(task.shape, task.spacing, strict=True) if s < 3 * finest)
            apart = min(8.0, max(extent / 24, 3 * finest))
            chosen["FinalGridSpacingInPhysicalUnits"] = [str(max(apart, 1.5 * s)) for s in task.spacing]
            chosen["GridSpacingSchedule"] = [str(2**k) for k in reversed(range(levels))]
        else:
            chosen["AutomaticTransformInitialization"] = ["true"]
            method = "CenterOfGravity" if task.stripped else "GeometricalCenter"
            chosen["AutomaticTransformInitializationMethod"] = [method]
        chosen["WriteResultImage"] = ["false"]
        parameters.AddParameterMap(chosen)
    elastix = itk.ElastixRegistrationMethod.New(fixed, moving)
    elastix.SetParameterObject(parameters)
    elastix.SetLogToConsole(False)
    elastix.UpdateLargestPossibleRegion()
    found = elastix.GetTransformParameterObject()
    files = [task.path(f"transform_{k}.txt") for k in range(found.GetNumberOfParameterMaps())]
    found.WriteParameterFiles(found, files)


def convert(task: Task) -> None:
    import itk
    import numpy as np

    moving = itk.imread(task.moving, itk.F)
    files = sorted(str(path) for path in task.out.glob("transform_*.txt"))
    parameters = itk.ParameterObject.New()
    parameters.ReadParameterFiles(files)
    vectors = itk.array_from_image(itk.transformix_deformation_field(moving, parameters))
    d = vectors.shape[-1]
    save_displacement(task, np.transpose(vectors, (*reversed(range(d)), d)))


def version() -> str:
    from importlib.metadata import version as installed

    return f"itk-elastix {installed('itk-elastix')}"


if __name__ == "__main__":
    main(register, convert, version)

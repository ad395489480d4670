"""SimpleITK: mutual information for linear stages, demons for deformable ones.

Linear: regular-step gradient descent on three levels, from matching centres, rigid, then affine. Deformable: fast
symmetric-forces demons on three levels, histograms matched first, 60, 40 and 20 iterations, displacements smoothed by
1.5 voxels; SimpleITK has no dense warp driven by local correlation.
"""

from __future__ import annotations

from task import Task, main


def linear(task: Task, fixed, moving):
    import SimpleITK as sitk  # noqa: N813 - what everybody calls it

    d, finest = fixed.GetDimension(), min(task.spacing)
    centre = sitk.CenteredTransformInitializerFilter
    how = centre.MOMENTS if task.stripped else centre.GEOMETRY
    turn = sitk.Euler2DTransform() if d == 2 else sitk.Euler3DTransform()
    transform = turn.__class__(sitk.CenteredTransformInitializer(fixed, moving, turn, how))
    thin = min(task.shape) < 32  # thick slices: smooth, do not shrink

    def improve(start):
        method = sitk.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(32)
        method.SetInterpolator(sitk.sitkLinear)
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentage(0.1 if fixed.GetNumberOfPixels() > 1_000_000 else 0.3, 1)
        method.SetShrinkFactorsPerLevel([1, 1, 1] if thin else [4, 2, 1])
        method.SetSmoothingSigmasPerLevel([s * finest for s in ((4, 2, 0) if thin else (2, 1, 0))])
        method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
        method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-4, 200, 0.6)
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetInitialTransform(start, inPlace=True)
        method.Execute(fixed, moving)
        return start

    transform = improve(transform)
    if task.kind == "rigid":
        return transform
    affine = sitk.AffineTransform(d)
    affine.SetMatrix(transform.GetMatrix())
    affine.SetTranslation(transform.GetTranslation())
    affine.SetCenter(transform.GetCenter())
    return improve(affine)


def demons(task: Task, fixed, moving):
    import SimpleITK as sitk  # noqa: N813 - what everybody calls it

    moving = sitk.HistogramMatching(moving, fixed, 256, 12, True)
    finest = min(task.spacing)
    field = None
    for shrink, steps in ((4, 60), (2, 40), (1, 20)):
        pair = [fixed, moving]
        if shrink > 1:
            factors = [
                max(1, min(round(shrink * finest / s), n // 8)) for s, n in zip(task.spacing, task.shape, strict=True)
            ]
            sigmas = [0.5 * f * s if f > 1 else 0.3 * s for f, s in zip(factors, task.spacing, strict=True)]
            pair = [sitk.Shrink(sitk.SmoothingRecursiveGaussian(image, sigmas), factors) for image in pair]
        method = sitk.FastSymmetricForcesDemonsRegistrationFilter()
        method.SetNumberOfIterations(steps)
        method.SetSmoothDisplacementField(True)
        method.SetStandardDeviations(1.5)
        if field is None:
            field = method.Execute(*pair)
        else:
            start = sitk.Resample(field, pair[0], sitk.Transform(), sitk.sitkLinear, 0.0, field.GetPixelID())
            field = method.Execute(*pair, start)
    return sitk.DisplacementFieldTransform(sitk.Cast(field, sitk.sitkVectorFloat64))


def register(task: Task) -> None:
    import SimpleITK as sitk  # noqa: N813 - what everybody calls it

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(task.threads)
    fixed, moving = (sitk.ReadImage(path, sitk.sitkFloat32) for path in (task.fixed, task.moving))
    chain = []
    if task.kind != "deformable":
        chain.append(linear(task, fixed, moving))
        moving = sitk.Resample(moving, fixed, chain[0], sitk.sitkLinear, 0.0)
    if not task.linear:
        chain.append(demons(task, fixed, moving))
    whole = sitk.CompositeTransform(chain)  # the last one is applied first
    frame = fixed.GetSize(), fixed.GetOrigin(), fixed.GetSpacing(), fixed.GetDirection()
    field = sitk.TransformToDisplacementField(whole, sitk.sitkVectorFloat32, *frame)
    sitk.WriteImage(field, task.path("displacement.nii"))


def version() -> str:
    import SimpleITK as sitk  # noqa: N813 - what everybody calls it

    return f"SimpleITK {sitk.Version.VersionString()}"


if __name__ == "__main__":
    main(register, lambda task: None, version)  # what it writes is the displacement

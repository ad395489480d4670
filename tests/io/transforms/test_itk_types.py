"""Every matrix type of ITK against SimpleITK, through text files that both read."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from pullback import io
from pullback.errors import FileFormatError
from pullback.io.transforms.itk_types import MATRICES
from pullback.transforms import Affine, Composite

SIGNS = np.array([-1.0, -1.0, 1.0])
CENTRE = [11.0, -7.0, 5.0]


def dimensions(name):
    if "2D" in name:
        return (2,)
    return (3,) if any(word in name for word in ("3D", "Versor", "Quaternion", "Scalable", "FixedCenter")) else (2, 3)


def parameters(name, d):
    """Modest random parameters that make an invertible map."""
    values = np.random.default_rng(len(name)).uniform(-0.3, 0.3, MATRICES[name].count(d))
    if "Affine" in name or "MatrixOffset" in name:
        values[: d * d] += np.eye(d).ravel()
    if name == "ScaleTransform":
        values += 1
    if "Similarity2D" in name:
        values[0] = 1.2
    if name == "Similarity3DTransform":
        values[6] = 1.2
    if name.startswith("Scale") and "Versor" in name:
        values[6:9] += 1
    if name == "QuaternionRigidTransform":
        values[:4] /= np.linalg.norm(values[:4])
    return values


def tfm(*records):
    lines = ["#Insight Transform File V1.0"]
    for number, (kind, p, fixed) in enumerate(records):
        lines += [f"#Transform {number}", f"Transform: {kind}"]
        if p is not None:
            lines += ["Parameters: " + " ".join(repr(float(v)) for v in p)]
            lines += ["FixedParameters: " + " ".join(repr(float(v)) for v in fixed)]
    return "\n".join(lines) + "\n"


def assert_same_points(ours, itk, d, tolerance=1e-9):
    points = np.random.default_rng(0).uniform(-50, 50, (30, d))
    theirs = np.array([itk.TransformPoint(p.tolist()) for p in points])
    mine = ours(torch.from_numpy(points * SIGNS[:d])).numpy() * SIGNS[:d]
    np.testing.assert_allclose(mine, theirs, atol=tolerance)


CASES = [(name, d) for name in MATRICES for d in dimensions(name)]


@pytest.mark.parametrize(("name", "d"), CASES, ids=[f"{name}-{d}" for name, d in CASES])
@pytest.mark.parametrize("number", ["double", "float"])
def test_matrix_types(path, name, d, number):
    centre = [] if name == "TranslationTransform" else CENTRE[:d]
    record = (f"{name}_{number}_{d}_{d}", parameters(name, d), centre)
    path("a.tfm").write_text(tfm((f"CompositeTransform_{number}_{d}_{d}", None, None), record))
    ours, itk = io.read_transform(path("a.tfm")), sitk.ReadTransform(path("a.tfm"))
    assert not np.allclose(itk.TransformPoint([1.0] * d), [1.0] * d)
    assert_same_points(ours, itk, d, 1e-9 if number == "double" else 1e-4)


def test_euler_angles_in_the_other_order(path):
    values = [0.3, -0.2, 0.5, 1, 2, 3]
    path("a.tfm").write_text(tfm(("Euler3DTransform_double_3_3", values, [*CENTRE, 1])))
    path("b.tfm").write_text(tfm(("Euler3DTransform_double_3_3", values, [*CENTRE, 0])))
    itk = sitk.ReadTransform(path("a.tfm"))
    assert itk.GetComputeZYX()
    assert_same_points(io.read_transform(path("a.tfm")), itk, 3)
    assert_same_points(io.read_transform(path("b.tfm")), sitk.ReadTransform(path("b.tfm")), 3)


def test_the_identity(path):
    path("a.tfm").write_text(tfm(("IdentityTransform_double_3_3", [], [])))
    assert torch.equal(io.read_transform(path("a.tfm")).matrix, torch.eye(4, dtype=torch.float64))


def test_the_last_of_a_composite_comes_first(path):
    first = ("AffineTransform_double_3_3", parameters("AffineTransform", 3), CENTRE)
    second = ("Euler3DTransform_double_3_3", [0.3, -0.2, 0.5, 1, 2, 3], CENTRE)
    path("a.tfm").write_text(tfm(("CompositeTransform_double_3_3", None, None), first, second))
    assert_same_points(io.read_transform(path("a.tfm")), sitk.ReadTransform(path("a.tfm")), 3)
    for name, record in (("b.tfm", first), ("c.tfm", second)):
        path(name).write_text(tfm(record))
    b, c = io.read_transform(path("b.tfm")), io.read_transform(path("c.tfm"))
    torch.testing.assert_close((b @ c).matrix, io.read_transform(path("a.tfm")).matrix)


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([("BananaTransform_double_3_3", [1], [])], "BananaTransform are not read"),
        ([("AffineTransform_double_3_2", [1], [])], "not a 2D or 3D"),
        ([("AffineTransform_double_4_4", [1], [])], "not a 2D or 3D"),
        ([("AffineTransform", [1], [])], "not a 2D or 3D"),
        ([("AffineTransform_double_3_3", [1, 2], [0, 0, 0])], "2 parameters; 12 are needed"),
        ([("AffineTransform_double_2_2", [1, 0, 0, np.nan, 0, 0], [0, 0])], "not finite"),
        ([("AffineTransform_double_2_2", [1, 0, 0, 1, 0, 0], [0, np.inf])], "not finite"),
        ([("AffineTransform_double_2_2", [1, 1, 1, 1, 0, 0], [0, 0])], "invertible"),
        ([("VersorTransform_double_3_3", [1, 1, 1], [0, 0, 0])], "longer than 1"),
        ([("TranslationTransform_double_2_2", [1, 1], [])] * 2, "no composite"),
        ([("CompositeTransform_double_2_2", None, None), ("TranslationTransform_double_2_2", [1, 1], []),
          ("TranslationTransform_double_3_3", [1, 1, 1], [])], "dimensions"),
        ([("DisplacementFieldTransform_double_2_2", [0, 0], [1, 1, 0, 0, 1, 1, 1, 0, 0])], "fixed parameters"),
        ([("DisplacementFieldTransform_double_2_2", [0, 0], [9, 1, 0, 0, 1, 1, 1, 0, 0, 1])], "2 numbers for a grid"),
        ([("DisplacementFieldTransform_double_2_2", [0, 0], [1, -1, 0, 0, 1, 1, 1, 0, 0, 1])], "grid of"),
        ([("DisplacementFieldTransform_double_2_2", [0, 0], [1, 1, 0, 0, 0, 1, 1, 0, 0, 1])], "spacing of"),
        ([("DisplacementFieldTransform_double_2_2", [0, 0], [1, 1, 0, 0, 1, 1, 1, 1, 1, 1])], "singular"),
        ([("BSplineTransform_double_2_2", [0] * 8, [2, 2, 0, 0, 1, 1, 1, 0, 0, 1])], "needs 4 along each axis"),
        ([("BSplineTransform_double_2_2", [0] * 8, [4, 4, 0, 0, 1, 1, 1, 0, 0, 1])], "8 parameters for a grid"),
        ([], "no transform"),
    ],
)  # fmt: skip
def test_what_is_refused(path, records, words):
    path("a.tfm").write_text(tfm(*records))
    with pytest.raises(FileFormatError, match=words) as caught:
        io.read_transform(path("a.tfm"))
    assert str(caught.value).startswith(f"cannot read {path('a.tfm')}: ")
    assert "\n" not in str(caught.value)


def test_an_empty_composite_changes_nothing(path):
    path("a.tfm").write_text(tfm(("CompositeTransform_double_2_2", None, None)))
    assert isinstance(io.read_transform(path("a.tfm")), Affine)


def test_composites_within_composites(path):
    shift = ("TranslationTransform_double_2_2", [1, 2], [])
    nested = ("CompositeTransform_double_2_2", None, None)
    path("a.tfm").write_text(tfm(nested, shift, nested, shift))
    assert not isinstance(io.read_transform(path("a.tfm")), Composite)
    assert io.read_transform(path("a.tfm"))(torch.zeros(2)).tolist() == [-2, -4]

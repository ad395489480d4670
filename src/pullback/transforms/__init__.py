"""What a registration produces: maps from fixed-world points to moving-world points, in mm.

    warped(x) = moving(transform(x))

Every transform is a value: call it on points, invert it, put one after another with `@`, pull images back with
`apply`, write it with `pullback.io`.
"""

from pullback.transforms.affine import Affine
from pullback.transforms.apply import resample, resample_labels
from pullback.transforms.bspline import BSpline
from pullback.transforms.composite import Composite
from pullback.transforms.displacement import Displacement
from pullback.transforms.flow import Flow
from pullback.transforms.halfway import Halfway
from pullback.transforms.inverse import Inverse
from pullback.transforms.landmarks import from_landmarks
from pullback.transforms.split import split
from pullback.transforms.thin_plate import ThinPlateSpline
from pullback.transforms.transform import Transform
from pullback.transforms.velocity import Velocity

__all__ = [
    "Affine",
    "BSpline",
    "Composite",
    "Displacement",
    "Flow",
    "Halfway",
    "Inverse",
    "ThinPlateSpline",
    "Transform",
    "Velocity",
    "from_landmarks",
    "resample",
    "resample_labels",
    "split",
]

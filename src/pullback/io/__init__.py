"""Files and foreign objects <-> Image, Labels, Points and Transform.

Every quirk of a format ends here: LPS against RAS, axis order, slopes, contradictory headers, sentinels. What comes out
is in world RAS+ mm and in data order; what goes in is written whole or not at all. Headers are checked before anything
is allocated, nothing is ever unpickled, and a format's library is imported only when such a file is met.
"""

from pullback.io.as_image import as_image, as_labels
from pullback.io.atomic import atomic
from pullback.io.describe import describe
from pullback.io.images.read import read_image, read_labels
from pullback.io.images.write import write_image
from pullback.io.points import read_points, write_points
from pullback.io.transforms.field import read_displacement, write_displacement
from pullback.io.transforms.files import read_transform, write_transform

__all__ = [
    "as_image",
    "as_labels",
    "atomic",
    "describe",
    "read_displacement",
    "read_image",
    "read_labels",
    "read_points",
    "read_transform",
    "write_displacement",
    "write_image",
    "write_points",
    "write_transform",
]

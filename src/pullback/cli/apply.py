"""pullback apply: carry an image, labels or points through a transform, or write it as a displacement field."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from pullback.cli.options import Parser, UsageError, file, whole

if TYPE_CHECKING:
    from pullback.typing import Interpolation

EXAMPLES = """
pullback apply result/ other_moving.nii.gz --out other_on_fixed.nii.gz --interpolation cubic
pullback apply result/ seg.nii.gz --labels --out seg_on_fixed.nii.gz
pullback apply result/ points_in_fixed.csv --points --out points_in_moving.csv
pullback apply result/ points_in_moving.csv --points --inverse --out points_in_fixed.csv
pullback apply result/ --displacement --out displacement.nii.gz
pullback apply affine.tfm moving.nii.gz --onto fixed.nii.gz --out warped.nii.gz
"""


def parser() -> Parser:
    """The options of this command."""
    p = Parser("pullback apply", "Carry something through a transform that is known.", EXAMPLES,
               usage="pullback apply RESULT [THING] --out FILE [options]")  # fmt: skip
    p.add_argument("transform", metavar="RESULT", type=file, help="a result folder, or a transform file (.h5 .tfm .txt "
                   ".mat, or a displacement field as an image)")  # fmt: skip
    p.add_argument("thing", metavar="THING", nargs="?", type=file, help="the image, labels or points to carry")
    p.add_argument("--out", metavar="FILE", type=file, required=True, help="where to write it")
    kind = p.add_argument_group("what THING is (default: an image)").add_mutually_exclusive_group()
    kind.add_argument("--labels", action="store_true", help="labels: the nearest one is taken, none is averaged")
    kind.add_argument("--points", action="store_true", help="points in world mm: fixed -> moving")
    kind.add_argument("--displacement", action="store_true", help="no THING: write the transform as a vector field")
    how = p.add_argument_group("how")
    how.add_argument("--inverse", action="store_true", help="the other way: images from fixed to moving, points from "
                     "moving to fixed")  # fmt: skip
    how.add_argument("--interpolation", choices=("nearest", "linear", "cubic"), help="of an image (default: linear)")
    how.add_argument("--onto", metavar="IMAGE", type=file, help="the grid to make (default: the fixed image's, with "
                     "--inverse the moving image's; a bare transform file has neither)")  # fmt: skip
    how.add_argument("--frame", metavar="N", type=whole, help="which frame of THING to take, from 0")
    return p


def run(options: Namespace) -> int:
    """Read, carry, write."""
    _check(options)
    from pullback import api, io
    from pullback.cli.known import known

    transform, grid = known(options.transform, options.inverse, options.onto)
    if options.points:
        io.write_points(api.apply(transform, io.read_points(options.thing)), options.out, like=options.thing)
    elif grid is None:
        raise UsageError("a transform file does not say which grid to make: add --onto IMAGE")
    elif options.displacement:
        io.write_displacement(transform, grid, options.out)
    elif options.labels:
        io.write_image(api.apply(transform, io.read_labels(options.thing, frame=options.frame), onto=grid), options.out)
    else:
        image = io.read_image(options.thing, frame=options.frame)
        interpolation: Interpolation = options.interpolation or "linear"
        io.write_image(api.apply(transform, image, onto=grid, interpolation=interpolation), options.out)
    print(f"written to {options.out}")
    return 0


def _check(options: Namespace) -> None:
    if options.displacement == (options.thing is not None):
        raise UsageError("--displacement takes no THING" if options.displacement else "there is nothing to carry: give "
                         "an image, labels or points, or --displacement")  # fmt: skip
    if options.out.resolve() in {
        p.resolve() for p in (options.transform, options.thing, options.onto) if p is not None
    }:
        raise UsageError(f"{options.out} is one of the inputs; give --out another name")
    if options.interpolation and (options.labels or options.points or options.displacement):
        raise UsageError("--interpolation is for images only")
    if options.points and options.onto:
        raise UsageError("--onto is for images and labels: points need no grid")

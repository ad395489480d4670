"""pullback landmarks: a transform out of landmarks that are known in both images."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace

from pullback.cli.options import Parser, UsageError, file

EXAMPLES = """
pullback landmarks fixed.csv moving.csv --out rigid.tfm
pullback landmarks fixed.fcsv moving.fcsv --kind affine --out affine.h5
pullback landmarks fixed.csv moving.csv --kind tps --sigma 1.5 --like fixed.nii.gz --out t.h5
pullback register fixed.nii.gz moving.nii.gz --initial t.h5 --out result/
"""
LINEAR = ("translation", "rigid", "similarity", "affine")
GRID = ("tps", "bspline")


def parser() -> Parser:
    """The options of this command."""
    p = Parser("pullback landmarks", "Find the transform that carries landmarks of the fixed image to the same ones\n"
               "of the moving image, both in world RAS+ mm and in one order.", EXAMPLES,
               usage="pullback landmarks FIXED MOVING --out FILE [options]")  # fmt: skip
    p.add_argument("fixed", metavar="FIXED", type=file, help="landmarks in the fixed image: .csv with x,y[,z], .fcsv "
                   "or .mrk.json; a column sigma_mm in a .csv says how uncertain each is")  # fmt: skip
    p.add_argument("moving", metavar="MOVING", type=file, help="the same landmarks in the moving image")
    p.add_argument(
        "--out", metavar="FILE", type=file, required=True, help=".h5, or for linear kinds .tfm, .txt or .mat"
    )
    p.add_argument("--kind", choices=(*LINEAR, *GRID), default="rigid", help="what may change; tps is a thin-plate "
                   "spline (default: %(default)s)")  # fmt: skip
    p.add_argument("--sigma", metavar="MM", type=length, help="how uncertain all landmarks are: splines come near and "
                   "need not meet them")  # fmt: skip
    p.add_argument(
        "--like", metavar="IMAGE", type=file, help="the fixed image, on whose grid tps and bspline are written"
    )
    return p


def run(options: Namespace) -> int:
    """Read, fit, write, and say how well the landmarks are met."""
    if options.kind in GRID and options.like is None:
        raise UsageError(f"a {options.kind} is written on a grid: add --like IMAGE, the fixed image")
    from pullback import api, io
    from pullback.evaluate import target_registration_error
    from pullback.io.images.read import open_image
    from pullback.io.points import read_uncertainties

    fixed, moving = io.read_points(options.fixed), io.read_points(options.moving)
    sigma = read_uncertainties(options.fixed) if options.sigma is None else options.sigma
    grid = None if options.like is None else open_image(options.like).space
    transform = api.from_landmarks(fixed, moving, options.kind, sigma, grid)
    io.write_transform(transform, options.out, onto=grid if options.kind in GRID else None)
    left = target_registration_error(transform, fixed, moving)
    print(f"{options.kind} of {len(left)} landmarks, left apart by {float(left.mean()):.3g} mm on average and "
          f"{float(left.max()):.3g} mm at most")  # fmt: skip
    print(f"written to {options.out}")
    return 0


def length(text: str) -> float:
    """A length in mm, as an argparse type."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ArgumentTypeError(f"must be a length in mm, 0 or more; got {text!r}")
    return value

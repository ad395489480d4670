"""pullback phantom: synthetic images with a known answer."""

from __future__ import annotations

import argparse
from argparse import Namespace

from pullback.cli.options import Parser, UsageError, file, whole

EXAMPLES = """
pullback phantom list
pullback phantom sax --out sax.nii.gz --labels sax_seg.nii.gz
pullback phantom heart-3d --out heart.nii.gz --shape 10 128 128 --spacing 8 2 2
pullback phantom pair --out pair/ --seed 3   (fixed, moving, the seg of each, truth)
pullback phantom beating --out cine/ --frames 10
"""
SETTINGS = (
    "seed",
    "phase",
    "noise",
    "bias",
    "shape",
    "spacing",
    "dimension",
    "frames",
    "contrast",
    "max_mm",
    "slide_mm",
)


def parser() -> Parser:
    """The options of this command."""
    p = Parser("pullback phantom", "Make a synthetic heart, or images to register with a known answer.", EXAMPLES,
               usage="pullback phantom NAME --out FILE [settings]")  # fmt: skip
    p.add_argument("name", metavar="NAME", help="which one; `list` tells the names")
    p.add_argument("--out", metavar="FILE", type=file, help="where to write: an image, or a folder for several")
    p.add_argument("--labels", metavar="FILE", type=file, help="where to write the labels of a single image")
    how = p.add_argument_group("settings (each phantom has some of them)", argument_default=argparse.SUPPRESS)
    how.add_argument("--seed", metavar="N", type=whole, help="another seed is another heart")
    how.add_argument("--phase", metavar="P", type=float, help="of the beat: 0 end of diastole, 0.36 end of systole")
    how.add_argument("--frames", metavar="N", type=whole, help="of one beat")
    how.add_argument("--noise", metavar="S", type=float, help="standard deviation; the brightest blood is about 1")
    how.add_argument("--bias", metavar="B", type=float, help="strength of the coil's shading")
    how.add_argument("--shape", metavar="N", type=whole, nargs="+", help="voxels along each axis, slices first")
    how.add_argument("--spacing", metavar="MM", type=float, nargs="+", help="between voxels, slices first")
    how.add_argument("--dimension", type=int, choices=(2, 3), help="one slice or a stack")
    how.add_argument("--contrast", choices=("cine", "t2"), help="bright or dark blood")
    how.add_argument("--max-mm", metavar="MM", type=float, help="the longest displacement of a pair's smooth part")
    how.add_argument("--slide-mm", metavar="MM", type=float, help="how far lungs slide")
    return p


def run(options: Namespace) -> int:
    """Make and write."""
    from pullback import phantom
    from pullback.cli.phantom_files import write

    if options.name == "list":
        print("\n".join(f"{name:<12} {line}" for name, line in phantom.names().items()))
        return 0
    given = {name: value for name, value in vars(options).items() if name in SETTINGS}
    made = phantom.make(options.name, **given)
    if options.out is None:
        raise UsageError("where shall it go? Add --out FILE (for a single image) or --out FOLDER (for several)")
    write(made, options.out, options.labels)
    print(f"written to {options.out}" + (f" and {options.labels}" if options.labels else ""))
    return 0

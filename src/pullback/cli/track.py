"""pullback track: follow one frame of a cine through all others."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from pullback.cli.options import Parser, UsageError, file, how_to_run, keep_inputs, whole
from pullback.cli.progress import progress

if TYPE_CHECKING:
    from pullback.cardiac import Tracking

EXAMPLES = """
pullback track cine.nii.gz --out tracked/
pullback track cine.nii.gz --out tracked/ --labels ed_seg.nii.gz
pullback track dicom_folder/ --out tracked/ --fixed-frame 3
pullback track frame_*.nii.gz --out tracked/ --not-cyclic
"""


def parser() -> Parser:
    """The options of this command."""
    p = Parser("pullback track", "Follow every point of one frame of a cine (a slice or a stack in time) through the "
               "others.", EXAMPLES, usage="pullback track CINE --out DIR [options]")  # fmt: skip
    p.add_argument("cine", metavar="CINE", type=file, nargs="+", help="a 4-D file, a DICOM folder, a folder with a "
                   "file for each frame, or those files in the order of time")  # fmt: skip
    p.add_argument("--out", metavar="DIR", type=file, required=True, help="folder of the result: displacement.nii.gz, "
                   "warped.nii.gz, motion.csv, tracking.json, recipe.yaml, tracking.gif")  # fmt: skip
    how = p.add_argument_group("how to track")
    how.add_argument("--fixed-frame", metavar="N", type=whole, default=0, help="the frame to follow, from 0: end of "
                     "diastole as a rule (default: %(default)s)")  # fmt: skip
    how.add_argument("--not-cyclic", action="store_true", help="the frames are not of one beat: the first does not "
                     "follow the last")  # fmt: skip
    how.add_argument("--recipe", metavar="NAME|FILE.yaml", default="cine", help="whose dense stage is used (default: "
                     "%(default)s)")  # fmt: skip
    how.add_argument("--mask", metavar="FILE", type=file, help="where the fixed frame counts (above 0), on its grid")
    also = p.add_argument_group("what to carry along and write besides")
    also.add_argument("--labels", metavar="SEG", type=file, help="labels of the fixed frame: carried to every frame in "
                      "labels.nii.gz; the motion is summed up there")  # fmt: skip
    also.add_argument("--transforms", action="store_true", help="also a displacement file for each frame, for "
                      "`pullback apply`")  # fmt: skip
    also.add_argument("--wall", metavar="N", type=whole, help="the number of the left ventricular wall in --labels: "
                      "also its strain in each frame, strain.csv")  # fmt: skip
    also.add_argument("--right-ventricle", metavar="N", type=whole, help="with --wall: that of the right ventricle, "
                      "for strain by sector")  # fmt: skip
    also.add_argument("--no-movie", action="store_true", help="no tracking.gif")
    how_to_run(p)
    return p


def run(options: Namespace) -> int:
    """Read, track, write."""
    from pullback import api, io
    from pullback.cardiac import cine
    from pullback.cardiac.strain import wall_of
    from pullback.cardiac.strain_file import FILE, write_strain

    keep_inputs((*options.cine, options.labels, options.mask), options.out, cine.FILES)
    if options.wall is not None and options.labels is None:
        raise UsageError("--wall is a number in the labels of the fixed frame; give --labels, too")
    frames = cine.read_frames(options.cine[0] if len(options.cine) == 1 else options.cine)
    labels = None if options.labels is None else io.read_labels(options.labels)
    if options.wall is not None and labels is not None:
        wall_of(labels, options.wall)  # a wrong number is told now, not after the tracking
    with progress(options.quiet, options.verbose) as watch:
        result = api.track(
            frames, options.recipe, fixed_frame=options.fixed_frame, cyclic=not options.not_cyclic, mask=options.mask,
            labels=labels, device=options.device, threads=options.threads, watch=watch,
        )  # fmt: skip
    cine.save(
        result, options.out, labels=labels, frame_seconds=frames.frame_seconds, with_movie=not options.no_movie,
        transforms=options.transforms,
    )  # fmt: skip
    if options.wall is not None and labels is not None:
        write_strain(result, labels, options.out / FILE, wall=options.wall, right=options.right_ventricle,
                     frame_seconds=frames.frame_seconds)  # fmt: skip
    if not options.quiet:
        print(_summary(result))
        print(f"written to {options.out}: {', '.join(sorted(path.name for path in options.out.iterdir()))}")
    if not result.ok:
        print(f"pullback: failed: {result.message}", file=sys.stderr)
    return 0 if result.ok else 3


def _summary(result: Tracking) -> str:
    motion, far = result.motion, result.motion.farthest_frame
    lines = [
        f"{len(result.frames)} frames followed from frame {result.fixed_frame}: {'done' if result.ok else 'FAILED'}",
        f"  farthest       frame {far}: mean {motion.mean_mm[far]:.3g} mm, 95 % below {motion.tail_mm[far]:.3g} mm",
        f"  Jacobian       at least {min(motion.jacobian_min):.3g} (1 keeps its volume)",
    ]
    if motion.drift_mm is not None:
        lines.append(f"  drift          {motion.drift_mm:.3g} mm after the whole beat (0 is perfect)")
    return "\n".join([*lines, f"  seconds        {result.seconds:.2f}"])

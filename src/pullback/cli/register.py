"""pullback register: align a moving image with a fixed one, and carry things along."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace

from pullback.cli.options import Parser, UsageError, changes, file, how_to_run, whole
from pullback.cli.progress import progress
from pullback.errors import noted

EXAMPLES = """
pullback register fixed.nii.gz moving.nii.gz --out result/ --report
pullback register ed.nii.gz es.nii.gz --out result/ --recipe cardiac-sax --labels es_seg.nii.gz
pullback register cine.nii.gz cine.nii.gz --fixed-frame 0 --moving-frame 9 --out result/
pullback register ct.nii.gz mr.nii.gz --out result/ --recipe multimodal --fixed-mask body.nii.gz
pullback register ed.nii.gz es.nii.gz --out result/ --model run/model.safetensors --finetune 50
pullback register fixed.nii.gz moving.nii.gz --out result/ --recipe mine.yaml   (pullback recipe show deformable)
pullback register fixed.nii.gz moving.nii.gz --out result/ --recipe rigid --set prepare.flatten_mm=40
"""
IMAGES = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr", ".png", ".npy", ".tif", ".tiff", ".dcm")


def parser() -> Parser:
    """The options of this command."""
    p = Parser("pullback register", "Find the transform that pulls MOVING back onto FIXED, and apply it.", EXAMPLES,
               usage="pullback register FIXED MOVING --out DIR [options]")  # fmt: skip
    p.add_argument("fixed", metavar="FIXED", type=file, help="the image that stays; its grid is the grid of the result")
    p.add_argument("moving", metavar="MOVING", type=file, help="the image that is pulled back")
    p.add_argument("--out", metavar="DIR", type=file, required=True, help="folder of the result: warped.nii.gz, "
                   "transform.h5, recipe.yaml, result.json, and what is asked for below")  # fmt: skip

    how = p.add_argument_group("how to register")
    how.add_argument("--recipe", metavar="NAME|FILE.yaml", default="auto", help="what to do, see `pullback recipe "
                     "list` (default: auto, what suits the images, see `pullback recipe suggest`)")  # fmt: skip
    changes(how)
    how.add_argument("--model", metavar="FILE", type=file, help="a trained network (pullback train), or heart-2d: its "
                     "answer is checked, and the recipe runs instead where it is not to be trusted")  # fmt: skip
    how.add_argument("--finetune", metavar="N", type=whole, help="refine the network's answer by N steps of the "
                     "recipe's dense stage")  # fmt: skip
    how.add_argument("--initial", metavar="FILE", type=file, help="a transform to start from, fixed -> moving")
    how.add_argument("--fixed-mask", metavar="FILE", type=file, help="where FIXED counts (above 0), on its grid")
    how.add_argument("--moving-mask", metavar="FILE", type=file, help="where MOVING counts (above 0), on its grid")
    how.add_argument("--also", metavar="NAME=FIXED,MOVING", action="append", default=[], help="two further images or "
                     "label maps that the recipe compares under this name (repeatable)")  # fmt: skip
    how.add_argument("--mask", metavar="NAME=FIXED,MOVING", action="append", default=[], help="masks that the recipe "
                     "knows under this name; NAME=FIXED and NAME=,MOVING give one (repeatable)")  # fmt: skip
    for side, which in (("fixed", "FIXED"), ("moving", "MOVING")):
        how.add_argument(f"--{side}-points", metavar="CSV", type=file, help=f"landmarks in {which} (world mm) that the "
                         "recipe compares, in the same order for both")  # fmt: skip
    how.add_argument("--surface", metavar="NAME=FIXED,MOVING", action="append", default=[], help="points on a "
                     "surface or contour of both images (.vtk, .ply, .csv, ...), in no order, that the recipe compares "
                     "(repeatable)")  # fmt: skip
    for name, what in (("frame", "both images"), ("fixed-frame", "FIXED"), ("moving-frame", "MOVING")):
        how.add_argument(f"--{name}", metavar="N", type=whole, help=f"which frame of {what} to take, from 0")

    also = p.add_argument_group("what to carry along and write besides")
    also.add_argument("--labels", metavar="SEG", type=file, action="append", default=[], help="labels of MOVING: "
                      "become <name>_warped.nii.gz on the grid of FIXED, nearest label (repeatable)")  # fmt: skip
    also.add_argument("--points", metavar="CSV", type=file, action="append", default=[], help="points in FIXED (world "
                      "mm); become <name>_moved.csv, their places in MOVING (repeatable)")  # fmt: skip
    also.add_argument("--displacement", action="store_true", help="write displacement.nii.gz, a vector at each voxel")
    also.add_argument("--report", action="store_true", help="write report.html, one page to judge the result by")

    run = how_to_run(p)
    run.add_argument("--seed", metavar="N", type=whole, default=0, help="of every random choice (default: %(default)s)")
    return p


def run(options: Namespace) -> int:
    """Read and check everything, register, write everything."""
    from pullback import api
    from pullback.cli.job import read_job
    from pullback.cli.summary import summary
    from pullback.registration.folder import together

    if options.out.name.lower().endswith(IMAGES) and not options.out.is_dir():
        raise UsageError(f"--out is the folder of the result, and {options.out} has the name of an image; "
                         "with --out result the warped image is result/warped.nii.gz")  # fmt: skip
    with noted() as notes:
        job = read_job(options)
    with together(options.out) as folder:
        with progress(options.quiet, options.verbose) as watch:
            result = api.register(
                job.fixed, job.moving, job.recipe, initial=job.initial, fixed_mask=job.fixed_mask,
                moving_mask=job.moving_mask, also=job.also, masks=job.masks, landmarks=job.landmarks,
                surfaces=job.surfaces or None,
                device=options.device, threads=options.threads, seed=options.seed, watch=watch,
            )  # fmt: skip
        result = replace(result, provenance=result.provenance | job.origins | ({"warnings": notes} if notes else {}))
        job.write(result, folder)
        written = sorted(path.name for path in folder.iterdir())
    if not options.quiet:
        print(summary(result))
        print(f"written to {options.out}: {', '.join(written)}")
    if not result.ok:
        print(f"pullback: failed: {result.message}", file=sys.stderr)
    return 0 if result.ok else 3

"""pullback group: bring a series of images together, none of them in a special place."""

from __future__ import annotations

import sys
from argparse import Namespace

from pullback.cli.options import Parser, file, how_to_run, keep_inputs
from pullback.cli.progress import progress

EXAMPLES = """
pullback group molli.nii.gz --out together/ --cost pca2
pullback group ti_*.nii.gz --out together/ --cost nuclear --mask heart.nii.gz
pullback group cine.nii.gz --out together/ --cost variance --recipe deformable
"""


def parser() -> Parser:
    """The options of this command."""
    p = Parser("pullback group", "Bring the images of a series into a common space in their middle, all at once.\n"
               "For mapping and perfusion, whose contrast changes, and wherever no image is special.", EXAMPLES,
               usage="pullback group IMAGES ... --out DIR [options]")  # fmt: skip
    p.add_argument("images", metavar="IMAGES", type=file, nargs="+", help="a 4-D file, a folder with a file for each "
                   "image, or those files")  # fmt: skip
    p.add_argument("--out", metavar="DIR", type=file, required=True, help="folder of the result: warped.nii.gz, "
                   "mean.nii.gz, displacement.nii.gz, a transform for each image, group.json, recipe.yaml")  # fmt: skip
    how = p.add_argument_group("how to register")
    how.add_argument("--cost", metavar="NAME", default="nuclear", help="pairwise or variance (one contrast), pca2, "
                     "nuclear or local-nuclear (changing contrast; default: %(default)s)")  # fmt: skip
    how.add_argument("--recipe", metavar="NAME|FILE.yaml", default="group", help="whose models, schedules and "
                     "optimisers are used (default: %(default)s)")  # fmt: skip
    how.add_argument("--mask", metavar="FILE", type=file, help="where the first image's grid counts (above 0)")
    how.add_argument("--start", metavar="HOW", default="headers", help="where each image sets out: headers, centres "
                     "(a shift towards the first) or search (any pose; default: %(default)s)")  # fmt: skip
    how_to_run(p)
    return p


def run(options: Namespace) -> int:
    """Read, bring together, write."""
    from pullback import api
    from pullback.registration.group.folder import FILES

    keep_inputs((*options.images, options.mask), options.out, FILES)
    images = options.images[0] if len(options.images) == 1 else options.images
    with progress(options.quiet, options.verbose) as watch:
        result = api.register_group(
            images, options.recipe, cost=options.cost, mask=options.mask, start=options.start, device=options.device,
            threads=options.threads, watch=watch,
        )  # fmt: skip
    result.save(options.out)
    if not options.quiet:
        before, after = result.cost_before_and_after()
        print(f"{len(result.images)} images: {'done' if result.ok else 'FAILED'}. {result.message}")
        print(f"  cost           {before:.4g} -> {after:.4g} ({options.cost}; 0 is perfect; this is not accuracy)")
        print(f"  seconds        {result.seconds:.2f}")
        print(f"written to {options.out}: {', '.join(sorted(path.name for path in options.out.iterdir()))}")
    if not result.ok:
        print(f"pullback: failed: {result.message}", file=sys.stderr)
    return 0 if result.ok else 3

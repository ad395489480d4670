"""pullback template: an image in the middle of many."""

from __future__ import annotations

import json
from argparse import Namespace

from pullback.cli.options import Parser, file, how_to_run, keep_inputs, whole
from pullback.cli.progress import progress

EXAMPLES = """
pullback template subject_*.nii.gz --out template/
pullback template a.nii.gz b.nii.gz c.nii.gz --out template/ --recipe affine --iterations 2
pullback template subject_*.nii.gz --out template/   (again, after Ctrl-C: goes on where it was stopped)
"""


def parser() -> Parser:
    """The options of this command."""
    p = Parser("pullback template", "Make a template: the mean of many images in the mean of their shapes. Images are "
               "held one\nat a time. Stopped, the same command goes on where it was.", EXAMPLES,
               usage="pullback template IMAGES ... --out DIR [options]")  # fmt: skip
    p.add_argument("images", metavar="IMAGES", type=file, nargs="+", help="image files, one for each subject")
    p.add_argument("--out", metavar="DIR", type=file, required=True, help="folder of the result: template.nii.gz, "
                   "template_0.nii.gz (how it began), one for each iteration, template.json, recipe.yaml")  # fmt: skip
    how = p.add_argument_group("how to make it")
    how.add_argument("--recipe", metavar="NAME|FILE.yaml", default="default", help="how images are registered with the "
                     "template (default: deformable)")  # fmt: skip
    how.add_argument("--iterations", metavar="N", type=whole, default=4, help="how often (default: %(default)s)")
    how.add_argument("--sharpen", metavar="A", type=float, default=0.0, help="against the blur of averaging, for "
                     "example 0.5 (default: %(default)s)")  # fmt: skip
    how.add_argument("--onto", metavar="IMAGE", type=file, help="the template's grid (default: the first image's)")
    how_to_run(p)
    return p


def run(options: Namespace) -> int:
    """Make it, keeping what is done."""
    from pullback import api, io
    from pullback.registration import recipe_file

    names = ["template.nii.gz", *(f"template_{k}.nii.gz" for k in range(options.iterations + 1))]
    keep_inputs(options.images, options.out, names)
    with progress(options.quiet, options.verbose) as watch:
        result = api.template(
            options.images, options.recipe, iterations=options.iterations, folder=options.out, space=options.onto,
            sharpen=options.sharpen, device=options.device, threads=options.threads, watch=watch,
        )  # fmt: skip
    io.write_image(result.image, options.out / "template.nii.gz")
    facts = [{"shape_mm": i.shape_mm, "likeness": i.likeness, "used": i.used, "left_out": i.left_out}
             for i in result.iterations]  # fmt: skip
    tree = {"images": [str(path.absolute()) for path in options.images], "iterations": facts}
    for name, text in (("template.json", json.dumps(tree, indent=2) + "\n"),
                       ("recipe.yaml", recipe_file.to_yaml(result.recipe))):  # fmt: skip
        with io.atomic(options.out / name) as path:
            path.write_text(text, encoding="utf-8")
    if not options.quiet:
        first = options.iterations - len(result.iterations) + 1
        for number, iteration in enumerate(result.iterations, start=first):
            print(f"iteration {number}: {iteration.used} images, shape moved by {iteration.shape_mm:.3g} mm in the "
                  f"mean, correlation with the one before {iteration.likeness:.4f}")  # fmt: skip
        print(f"written to {options.out}: template.nii.gz")
    return 0

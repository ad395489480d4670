"""pullback demo: the whole of it on a synthetic heart, of which the truth is known."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from pullback.cli.options import Parser, file
from pullback.cli.progress import progress

EXAMPLES = """
pullback demo
pullback demo --out somewhere/
"""
PHASES = (0.0, 0.36)
"""End of diastole, end of systole."""


def parser() -> Parser:
    """The options of this command."""
    p = Parser("pullback demo", "Register a synthetic beating heart, end of systole onto end of diastole, and compare\n"
               "with the motion that made it. Takes a few seconds.", EXAMPLES)  # fmt: skip
    p.add_argument("--out", metavar="DIR", type=file, default=Path("demo-result"), help="folder of the result "
                   "(default: %(default)s)")  # fmt: skip
    p.add_argument("-q", "--quiet", action="store_true", help="no progress bar")
    return p


def run(options: Namespace) -> int:
    """Make, register, write, and tell what was found."""
    from pullback import api, io, report
    from pullback.cli.findings import findings, key_figures, table
    from pullback.phantom import beating_heart
    from pullback.registration import saved
    from pullback.registration.folder import together

    pair = beating_heart(PHASES).pair()
    assert pair.moving_labels is not None
    assert pair.fixed_labels is not None
    images = {name: options.out / f"{name}.nii.gz" for name in ("fixed", "moving")}
    with together(options.out) as folder:
        io.write_image(pair.fixed, folder / "fixed.nii.gz")
        io.write_image(pair.moving, folder / "moving.nii.gz")
        io.write_image(pair.fixed_labels, folder / "fixed_seg.nii.gz")
        io.write_image(pair.moving_labels, folder / "moving_seg.nii.gz")
        with progress(options.quiet, options.verbose) as watch:
            result = api.register(pair.fixed, pair.moving, "cardiac-sax", watch=watch)
        origins = {name: str(path.absolute()) for name, path in images.items()}
        result = replace(result, provenance=result.provenance | origins)
        warped_labels = api.apply(result.transform, pair.moving_labels, onto=pair.fixed.space)
        io.write_image(warped_labels, folder / "moving_seg_warped.nii.gz")
        saved.write(result, folder)
        found = findings(result, pair.truth, pair.fixed_labels, pair.moving_labels, warped_labels)
        report.write(result, folder / "report.html", accuracy=key_figures(found))
    print(
        f"A synthetic short-axis heart: end of systole (moving) onto end of diastole (fixed), {result.seconds:.1f} s."
    )
    print(table(found))
    print(f"{result.message}\n\nLook at {options.out / 'report.html'}\nor do it again yourself:")
    print(f"  pullback register {images['fixed']} {images['moving']} --recipe cardiac-sax --out result/")
    return 0 if result.ok else 3

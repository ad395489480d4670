"""pullback report: the one-page report of a result folder."""

from __future__ import annotations

from argparse import Namespace

from pullback.cli.options import Parser, file

EXAMPLES = """
pullback report result/
pullback report result/ --fixed elsewhere/fixed.nii.gz --moving elsewhere/moving.nii.gz --out result.html
"""


def parser() -> Parser:
    """The options of this command."""
    p = Parser(
        "pullback report", "Make one self-contained HTML page: before and after, deformation, warnings.", EXAMPLES
    )
    p.add_argument("result", metavar="RESULT", type=file, help="a result folder")
    p.add_argument("--fixed", metavar="FILE", type=file, help="the fixed image (default: where it was)")
    p.add_argument("--moving", metavar="FILE", type=file, help="the moving image (default: where it was)")
    p.add_argument("--out", metavar="FILE", type=file, help="where to write (default: RESULT/report.html)")
    return p


def run(options: Namespace) -> int:
    """Read the result, write the page."""
    from pullback import api, io, report
    from pullback.registration import saved

    origins = saved.read_summary(options.result)["provenance"]
    given = {name: path for name in ("fixed", "moving") if (path := getattr(options, name)) is not None}
    images = {name: io.read_image(path, frame=origins.get(f"{name}_frame")) for name, path in given.items()}
    out = options.result / "report.html" if options.out is None else options.out
    report.write(api.load(options.result, **images), out)
    print(f"written to {out}")
    return 0

"""pullback evaluate: how good a registration is, against labels, landmarks or a known answer."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from dataclasses import fields

from pullback.cli.options import Parser, UsageError, file

EXAMPLES = """
pullback evaluate result/ --fixed-labels fixed_seg.nii.gz --moving-labels moving_seg.nii.gz --label-names 1=RV,2=Myo
pullback evaluate result/ --fixed-points fixed.csv --moving-points moving.csv --json figures.json
pullback evaluate result/ --truth true_field.nii.gz --mask brain.nii.gz
pullback evaluate antsComposite.h5 --fixed fixed.nii.gz --moving moving.nii.gz --inverse
pullback evaluate manual.nii.gz automatic.nii.gz
pullback evaluate cases.csv --out table/
pullback evaluate compare table_a/ table_b/ --measures dice hd95_mm
"""


def parser() -> Parser:
    """The options of this command."""
    what = """Measure a registration: overlap and distances of labels, errors of landmarks, error against a
known field, folding, inverse consistency, similarity. Definitions: docs/methods/evaluate.md."""
    usage = """pullback evaluate RESULT [options]
       pullback evaluate LABELS LABELS [options]
       pullback evaluate CASES.csv --out DIR
       pullback evaluate compare A.csv B.csv"""
    p = Parser("pullback evaluate", what, EXAMPLES, usage=usage)
    p.add_argument("things", metavar="RESULT", type=file, nargs="+", help="a result folder or a transform file; or two "
                   "label maps; or a list of cases; or `compare` and two tables of figures")  # fmt: skip
    known = p.add_argument_group("what is known of the images")
    for name, what in (
        ("fixed-labels", "labels of the fixed image"),
        ("moving-labels", "labels of the moving image, as they were; they are pulled back by the nearest label"),
        ("fixed-points", "landmarks in the fixed image (CSV, .fcsv or .mrk.json; mm)"),
        ("moving-points", "the same landmarks, in the same order, in the moving image"),
        ("truth", "the right transform, fixed -> moving: a field or any transform file"),
        ("mask", "fixed voxels that count (above 0), for all but labels and landmarks"),
        ("backward", "a result or transform the other way round, for inverse consistency"),
        ("fixed", "the fixed image (default: where the result says it is)"),
        ("moving", "the moving image (default: likewise)"),
    ):
        known.add_argument(f"--{name}", metavar="FILE", type=file, help=what)
    how = p.add_argument_group("how")
    how.add_argument("--inverse", action="store_true", help="without --backward: measure the numerical inverse (slow)")
    how.add_argument("--labels", metavar="1,2,...", type=numbers, default=frozenset(), help="only these labels")
    how.add_argument("--label-names", metavar="1=RV,...", type=names, default={}, help="what labels are called")
    how.add_argument("--resample", action="store_true", help="two label maps: they may lie on different grids")
    how.add_argument("--measures", metavar="KEY", nargs="+", default=[], help="compare: only these, such as dice")
    out = p.add_argument_group("where to")
    out.add_argument("--json", metavar="FILE", type=file, help="also write the figures as JSON")
    out.add_argument("--csv", metavar="FILE", type=file, help="also write the figures as CSV, one in each line")
    out.add_argument("--out", metavar="DIR", type=file, help="list of cases: folder for figures.csv and summary.csv")
    return p


def run(options: Namespace) -> int:
    """Decide what is to be evaluated, measure, print, write."""
    import json

    from pullback.cli.evaluate_cohort import run_cases, run_compare, write_text
    from pullback.cli.evidence import Evidence, compare_maps
    from pullback.evaluate import to_csv

    first, *others = options.things
    if str(first) == "compare" and others:
        return run_compare(others, options.measures, options.csv, options.json)
    if first.suffix.lower() == ".csv" and not others:
        return run_cases(first, options.out, options.label_names, options.labels, options.inverse)
    if options.out is not None:
        raise UsageError("--out is for a list of cases; for one result use --json or --csv")
    if len(others) > 1:
        raise UsageError(f"give one result or two label maps; got {len(options.things)} names")
    if others:
        figures = compare_maps(first, others[0], options.labels, options.resample)
    else:
        given = {f.name: getattr(options, f.name, None) for f in fields(Evidence)} | {"result": first}
        figures = Evidence(**given).figures(options.labels, options.inverse)
    figures = figures.called(str(others[0] if others else first), options.label_names)
    print(figures)
    if options.json is not None:
        write_text(options.json, json.dumps(figures.tree(), indent=2, allow_nan=False) + "\n")
    if options.csv is not None:
        write_text(options.csv, to_csv([figures]))
    return 0


def numbers(text: str) -> frozenset[int]:
    """`1,2,3` as an argparse type."""
    try:
        return frozenset(int(part) for part in text.split(","))
    except ValueError:
        raise ArgumentTypeError(f"must be whole numbers with commas between, such as 1,2,3; got {text!r}") from None


def names(text: str) -> dict[str, str]:
    """`1=RV,2=Myo` as an argparse type."""
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(number.strip().lstrip("-").isdigit() and name.strip() for number, _, name in pairs):
        raise ArgumentTypeError(f"must be label=name with commas between, such as 1=RV,2=Myo; got {text!r}")
    return {number.strip(): name.strip() for number, _, name in pairs}

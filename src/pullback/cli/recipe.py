"""pullback recipe: list the recipes, show one to change, or tell which suits two images."""

from __future__ import annotations

import sys
from argparse import Namespace

from pullback.cli.options import Parser, UsageError, changes, file

EXAMPLES = """
pullback recipe list
pullback recipe show deformable > mine.yaml
pullback recipe show mine.yaml   (checks it, and shows every value that it leaves to the default)
pullback recipe show rigid --set prepare.flatten_mm=40 --out mine.yaml
pullback recipe suggest fixed.nii.gz moving.nii.gz
"""


def parser() -> Parser:
    """The options of this command."""
    p = Parser("pullback recipe", "A recipe is everything that a registration will do.", EXAMPLES)
    p.add_argument("what", choices=("list", "show", "suggest"), help="list their names, show one of them as "
                   "YAML, or tell which one `register` takes for two images by itself, and why")  # fmt: skip
    p.add_argument("names", metavar="NAME", nargs="*", help="the recipe to show, or a YAML file; or the two images")
    changes(p)
    p.add_argument("--out", metavar="FILE", type=file, help="write it there (default: print it)")
    return p


def run(options: Namespace) -> int:
    """Print or write."""
    _check(options)
    from pullback import api, io
    from pullback.registration import recipe_file
    from pullback.registration.recipe_changes import changed
    from pullback.registration.recipes import DEFAULT, RECIPES

    if options.what == "list":
        width = max(map(len, RECIPES))
        rows = [
            f"{n:<{width}} {make().description}{' (the default, where nothing speaks for another)' * (n == DEFAULT)}"
            for n, make in RECIPES.items()
        ]
        text = "\n".join(rows) + "\n"
    elif options.what == "suggest":
        text = f"{api.suggest(*options.names)}\n"
    else:
        text = recipe_file.to_yaml(changed(api.find_recipe(options.names[0]), options.set, options.term))
    if options.out is None:
        sys.stdout.write(text)
    else:
        with io.atomic(options.out) as path:
            path.write_text(text, encoding="utf-8")
    return 0


def _check(options: Namespace) -> None:
    """Raise a UsageError unless there are as many names as asked for."""
    if options.what != "show" and (options.set or options.term):
        raise UsageError(f"--set and --term change a recipe that is shown; {options.what} takes neither")
    given, wanted = len(options.names), {"list": 0, "show": 1, "suggest": 2}[options.what]
    if given == wanted:
        return
    if options.what == "show" and not given:
        raise UsageError("show which recipe? pullback recipe list tells their names")
    if options.what == "list":
        raise UsageError(f"list takes no name; do you mean: pullback recipe show {options.names[0]}")
    needs = "one recipe" if options.what == "show" else "two images, the fixed and the moving one"
    raise UsageError(f"{options.what} takes {needs}; got {given}")

"""pullback recipe: list the recipes, or show one to change."""

from __future__ import annotations

import sys
from argparse import Namespace

from pullback.cli.options import Parser, UsageError, file

EXAMPLES = """
pullback recipe list
pullback recipe show deformable > mine.yaml
pullback recipe show mine.yaml   (checks it, and shows every value that it leaves to the default)
"""


def parser() -> Parser:
    """The options of this command."""
    p = Parser("pullback recipe", "A recipe is everything that a registration will do.", EXAMPLES)
    p.add_argument("what", choices=("list", "show"), help="list their names, or show one of them as YAML")
    p.add_argument("name", metavar="NAME", nargs="?", help="the recipe to show, or a YAML file")
    p.add_argument("--out", metavar="FILE", type=file, help="write it there (default: print it)")
    return p


def run(options: Namespace) -> int:
    """Print or write."""
    if options.what == "show" and options.name is None:
        raise UsageError("show which recipe? pullback recipe list tells their names")
    if options.what == "list" and options.name is not None:
        raise UsageError(f"list takes no name; do you mean: pullback recipe show {options.name}")
    from pullback import api, io
    from pullback.registration import recipe_file
    from pullback.registration.recipes import DEFAULT, RECIPES

    if options.what == "list":
        width = max(map(len, RECIPES))
        rows = [f"{n:<{width}} {make().description}{' (the default)' * (n == DEFAULT)}" for n, make in RECIPES.items()]
        text = "\n".join(rows) + "\n"
    else:
        text = recipe_file.to_yaml(api.find_recipe(options.name))
    if options.out is None:
        sys.stdout.write(text)
    else:
        with io.atomic(options.out) as path:
            path.write_text(text, encoding="utf-8")
    return 0

"""pullback evaluate-model: a trained network beside doing nothing and beside a classical recipe."""

from __future__ import annotations

import json
from argparse import Namespace

from pullback.cli.options import Parser, UsageError, file, whole
from pullback.cli.prepared import add_cache, prepared

EXAMPLES = """
pullback evaluate-model run/ data_test.csv
pullback evaluate-model run/ --dataset mnist:5 --json
pullback evaluate-model run/model.safetensors --dataset phantom:cine --classical cardiac-sax --pairs 10
"""


def parser() -> Parser:
    """The options of this command."""
    p = Parser("pullback evaluate-model", "Judge a trained network on pairs that it has not seen: likeness (mse),\n"
               "overlap of labels (dice), distance from the known answer (epe_mm), folding, seconds a pair.", EXAMPLES,
               usage="pullback evaluate-model MODEL [DATA | --dataset NAME] [options]")  # fmt: skip
    p.add_argument("model", metavar="MODEL", type=file, help="the folder of a training, or a .safetensors file")
    p.add_argument("data", metavar="DATA", nargs="?", help="a CSV file or a folder of images: all of it is used")
    p.add_argument("--dataset", metavar="NAME", help="instead of DATA: the test part of mnist:5, medmnist:NAME, "
                   "phantom:cine, ...")  # fmt: skip
    p.add_argument("--download", action="store_true", help="get MNIST or MedMNIST first, where it is not there yet")
    add_cache(p)
    p.add_argument("--classical", metavar="RECIPE", default="deformable", help="to compare with, or none (default: "
                   "%(default)s)")  # fmt: skip
    p.add_argument("--pairs", metavar="N", type=whole, default=50, help="how many, at most (default: %(default)s)")
    p.add_argument("--atlas", metavar="IMAGE", type=file, help="register every image of DATA onto this one")
    p.add_argument("--seed", metavar="N", type=whole, default=0, help="of the data set (default: %(default)s)")
    p.add_argument("--json", action="store_true", help="as JSON, with results by group")
    return p


def run(options: Namespace) -> int:
    """Measure and print."""
    if (options.data is None) == (options.dataset is None):
        raise UsageError("give data to judge it on: a CSV file or a folder, or --dataset NAME")
    from pullback import api
    from pullback.learn import Grid, all_pairs, by, by_group, dataset, load_weights, measure, stay
    from pullback.registration.judge import by_recipe

    model, card = load_weights(options.model)
    size = Grid(card.spacing_mm)
    with prepared(options, quiet=options.json) as cache:
        pairs = (
            all_pairs(options.data, grid_of=size, atlas=options.atlas, cache=cache)
            if options.dataset is None
            else dataset(options.dataset, grid_of=size, seed=options.seed, download=options.download, cache=cache).test
        )
    chosen = pairs.some(max(1, options.pairs))
    found: dict[str, object] = {"identity": measure(stay, pairs, chosen), "model": measure(by(model), pairs, chosen)}
    if options.classical != "none":
        found["classical"] = measure(by_recipe(api.find_recipe(options.classical), pairs), pairs, chosen)
    rows = {name: figures for name, figures in found.items() if isinstance(figures, dict)}
    if options.json:
        groups = {"groups": by_group(by(model), pairs, chosen)} if pairs.groups else {}
        print(json.dumps({"pairs": len(chosen)} | rows | groups, indent=2))
        return 0
    names = list(rows["identity"])
    print(f"{len(chosen)} pairs" + "".join(f"{name:>14}" for name in names))
    for name, figures in rows.items():
        print(f"{name:<{len(str(len(chosen))) + 6}}" + "".join(f"{figures[key]:14.4g}" for key in names))
    return 0

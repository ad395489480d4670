"""Many subjects: what is made of all of them, one at a time."""

from pullback.cohort.template import Iteration, Template, build_template

__all__ = ["Iteration", "Template", "build_template"]

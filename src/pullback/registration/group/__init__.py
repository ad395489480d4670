"""Groupwise registration: many images into a common space, none of them in a special place."""

from pullback.registration.group.cost import COSTS, PCA2, GroupCost, Nuclear, Pairwise, Variance, group_cost
from pullback.registration.group.group import Group
from pullback.registration.group.register_group import register_group
from pullback.registration.group.starts import Start

__all__ = [
    "COSTS",
    "PCA2",
    "Group",
    "GroupCost",
    "Nuclear",
    "Pairwise",
    "Start",
    "Variance",
    "group_cost",
    "register_group",
]

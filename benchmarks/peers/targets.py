"""What the project set out to reach, beside what was measured: met, or missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from results import Result, Row, mean, slope

Verdict = tuple[str, str, str]
FAIR = 0.003
"""Correlations that differ by less count as equal alignment."""


def verdicts(
    found: list[Result], large: str, grown: list[Result], repeats: list[Row], inside: list[Row]
) -> list[Verdict]:
    """Every target that can be judged by what was measured."""
    parts: list[Iterator[Verdict]] = [
        _deformable(found, large),
        _linear(found),
        _small(inside),
        _cost(grown),
        _bits(repeats),
    ]
    return [verdict for part in parts for verdict in part]


def _judge(words: str, measured: str, met: bool) -> Verdict:
    return words, measured, "met" if met else "**missed**"


def _deformable(found: list[Result], large: str) -> Iterator[Verdict]:
    for pair, words in ((large, "synthetic head"), ("brain_warp", "brain under a known warp")):
        tools = {r.tool: r for r in found if r.pair == pair and r.status == "done"}
        for own in ("pullback", "pullback:fast"):
            if own in tools:
                yield from _known_warp(tools, own, f"{words}, {own}")
    for group in ("oasis", "cardiac"):
        pairs = {tool: [r for r in found if r.group == group and r.tool == tool] for tool in ("pullback", "greedy")}
        both = {r.pair for r in pairs["pullback"]} & {r.pair for r in pairs["greedy"]}
        own_dice, peer_dice = (mean((r for r in pairs[t] if r.pair in both), "dice") for t in ("pullback", "greedy"))
        if own_dice is not None and peer_dice is not None:
            line = f"{group}: mean Dice at least Greedy's"
            yield _judge(line, f"{own_dice:.4f} against {peer_dice:.4f}, {len(both)} pairs", own_dice >= peer_dice)


def _known_warp(tools: dict[str, Result], name: str, words: str) -> Iterator[Verdict]:
    own = tools[name]
    for peer, share in (("greedy", 8), ("greedy:float", 8), ("ants:default", 20), ("ants:mid", 20), ("ants", 20)):
        if peer in tools:
            ratio = tools[peer].seconds / own.seconds
            yield _judge(f"{words}: at most 1/{share} of the seconds of {peer}", f"1/{ratio:.1f}", ratio >= share)
    if "greedy" in tools:
        peer = tools["greedy"]
        errors = own.get("error_mean_voxels") or 0.0, peer.get("error_mean_voxels") or 0.0
        line = f"{words}: error of the warp at most Greedy's"
        yield _judge(line, f"{errors[0]:.3f} against {errors[1]:.3f} voxels", errors[0] <= errors[1])
        share_of = own.peak_mb / peer.peak_mb
        yield _judge(f"{words}: at most half of Greedy's peak memory", f"{share_of:.2f} of it", share_of <= 0.5)


def _linear(found: list[Result]) -> Iterator[Verdict]:
    for pair in ("brain_rigid", "brain_affine", "brains_affine"):
        tools = [r for r in found if r.pair == pair and r.status == "done"]
        own = next((r for r in tools if r.tool == "pullback"), None)
        peers = [r for r in tools if r.tool.partition(":")[0] != "pullback"]
        if own is None or not peers:
            continue
        peer = min(peers, key=lambda r: r.seconds)
        ratio = peer.seconds / own.seconds
        after = own.get("ncc") or 0.0, peer.get("ncc") or 0.0
        line = f"{pair}: at most 1/3 of the fastest peer's seconds ({peer.tool}), aligned as well"
        measured = f"1/{ratio:.1f}; correlation {after[0]:.4f} against {after[1]:.4f}"
        yield _judge(line, measured, ratio >= 3 and after[0] > after[1] - FAIR)


def _small(rows: list[Row]) -> Iterator[Verdict]:
    limits: list[tuple[Callable[[str], bool], float]] = [
        (lambda task: "deformable" in task, 0.2),
        (lambda task: "frames" in task, 2.0),
    ]
    for fits, limit in limits:
        for task in dict.fromkeys(row["task"] for row in rows if fits(row["task"])):
            newest = {row["threads"]: row for row in sorted(rows, key=lambda r: r["date"]) if row["task"] == task}
            best = min(float(row["median_seconds"]) for row in newest.values())
            yield _judge(f"{task}: under {limit:g} s after start-up", f"{best:.3g} s", best < limit)


def _cost(grown: list[Result]) -> Iterator[Verdict]:
    own = sorted((r for r in grown if r.tool == "pullback" and r.status == "done"), key=lambda r: r.voxels)
    if len(own) < 3:
        return
    each = [1e6 * (b.seconds - a.seconds) / (b.voxels - a.voxels) for a, b in pairwise(own)]
    words = f"each further voxel {min(each):.2f} to {max(each):.2f} microseconds"
    yield _judge("seconds grow in proportion to voxels", words, max(each[1:]) <= 1.5 * min(each[1:]))
    memory = slope([(r.voxels, 1e6 * r.peak_mb) for r in own])
    if memory is not None:
        beyond = memory - 8  # two images of 4 bytes
        words = f"{beyond:.0f} bytes a voxel"
        yield _judge("memory beyond the two images at most 24 bytes a voxel (the aim)", words, beyond <= 24)


def _bits(rows: list[Row]) -> Iterator[Verdict]:
    newest = {(row["pair"], row["run"]): row for row in sorted(rows, key=lambda row: row["date"])}
    for (pair, run), row in newest.items():
        if run == "again":
            yield _judge(f"{pair}: the same bits in two runs", row["identical"], row["identical"] == "True")
        elif run != "first":
            far = float(row["largest_mm"])
            yield _judge(f"{pair}: {run} within 0.0001 mm", f"{far:.2g} mm at most", far <= 1e-4)

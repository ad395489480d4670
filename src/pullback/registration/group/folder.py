"""What a group leaves in a folder.

- warped.nii.gz: 4-D, all images in the common space, in the order in which they were given
- mean.nii.gz: their mean
- displacement.nii.gz: 5-D vectors (LPS mm, as ITK has them), from the common space to each image
- image_000_transform.h5 and so on: the same as ITK transforms, for `pullback apply`
- group.json, recipe.yaml: how it ended, and what was done
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pullback import io
from pullback.io.images.nifti_series import write_displacements, write_frames
from pullback.registration import recipe_file
from pullback.registration.folder import together

if TYPE_CHECKING:
    from pullback.registration.group.group import Group

FILES = ("warped.nii.gz", "mean.nii.gz", "displacement.nii.gz", "group.json", "recipe.yaml")
DIRECTION = ("Each transform maps points of the common space to points of its image. Images are pulled back: "
             "warped_t(x) = image_t(transform_t(x)).")  # fmt: skip


def save(group: Group, folder: str | Path) -> Path:
    """Write a group into a folder: all of it or nothing.

    Raises:
        InputError: the folder cannot be made or written.
    """
    count = len(group.images)
    with together(folder) as inside:
        if group.images[0].channels == 1:
            write_frames(group.each_warped(), inside / "warped.nii.gz", count)
        io.write_image(group.mean, inside / "mean.nii.gz")
        fields = (transform.displace(group.space) for transform in group.transforms)
        write_displacements(fields, group.space, inside / "displacement.nii.gz", count)
        for number, transform in enumerate(group.transforms):
            io.write_transform(transform, inside / f"image_{number:03d}_transform.h5", onto=group.space)
        for name, text in (
            ("recipe.yaml", recipe_file.to_yaml(group.recipe)),
            ("group.json", json.dumps(summary(group), indent=2) + "\n"),
        ):
            with io.atomic(inside / name) as path:
                path.write_text(text, encoding="utf-8")
    return Path(folder)


def summary(group: Group) -> dict[str, Any]:
    """What group.json holds."""
    before, after = group.cost_before_and_after()
    return {
        "status": group.status.name,
        "ok": group.ok,
        "message": group.message,
        "direction": DIRECTION,
        "images": len(group.images),
        "cost": type(group.cost).__name__,
        "cost_before": before,
        "cost_after": after,
        "mean_displacement_mm": [round(float(t.displace(group.space).norm(dim=0).mean()), 4) for t in group.transforms],
        "stages": [{"stage": o.stage, "status": o.status.name, "seconds": round(o.seconds, 3)} for o in group.outcomes],
        "provenance": group.provenance,
    }

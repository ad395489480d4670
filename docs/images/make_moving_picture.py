"""Draw docs/images/moving_picture.webp, of README and start page: `python docs/images/make_moving_picture.py`.

A heart at the end of systole is registered to the end of diastole. Then it is pulled back by ever larger parts of the
found displacement; Dice is measured anew at every step.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

import pullback as pb
from pullback.evaluate import mean_dice
from pullback.phantom import beating_heart
from pullback.report.style import FIXED_COLOUR, MOVING_COLOUR
from pullback.transforms import Displacement, resample

OUT = Path(__file__).with_name("moving_picture.webp")
CROP = np.s_[42:150, 36:144]  # rows, columns: the heart and what is around it
PANEL, GAP, TOP, BOTTOM = 272, 12, 30, 46
FINER = 2  # drawn so many times larger, then scaled down
PAPER, INK, FAINT, TRACK = "#0d1117", "#e6e9ed", "#9aa5b1", "#2c343d"
FIXED, MOVING, GRID = "#5fb0ff", "#ff9d2e", (60, 150, 255, 170)
LINES_APART, POINTS_APART = 7, 1.0  # voxels between lines of the grid, and between the points that draw one
FORWARD, BACK = 28, 12  # pictures on the way, and on the way back
HOLD_MS, STEP_MS, BACK_MS = (1100, 2300), 75, 60


def parts() -> list[tuple[float, int]]:
    """(part of the displacement, milliseconds), gently from 0 to 1 and back."""
    there, back = eased(FORWARD), eased(BACK)[::-1]
    return [(0.0, HOLD_MS[0]), *((p, STEP_MS) for p in there), (1.0, HOLD_MS[1]), *((p, BACK_MS) for p in back)]


def eased(count: int) -> list[float]:
    """Between 0 and 1, slowly at both ends."""
    return [t * t * (3 - 2 * t) for t in np.linspace(0, 1, count + 2)[1:-1]]


def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(folder / f"DejaVuSans{'-Bold' if bold else ''}.ttf", size * FINER)


def enlarged(values: np.ndarray) -> Picture.Image:
    """A picture in grey or colour, (rows, columns[, 3]) in [0, 1], as large as a panel."""
    pixels = Picture.fromarray(np.rint(255 * values[CROP].clip(0, 1)).astype(np.uint8)).convert("RGB")
    return pixels.resize((PANEL * FINER, PANEL * FINER), Picture.Resampling.BICUBIC)


def at_pixels(voxels: np.ndarray) -> list[tuple[float, float]]:
    """Voxel positions (n, 2) in pixels of a panel."""
    rows, columns = voxels[:, 0] - CROP[0].start, voxels[:, 1] - CROP[1].start
    scale = PANEL * FINER / (CROP[0].stop - CROP[0].start)
    return [((c + 0.5) * scale, (r + 0.5) * scale) for r, c in zip(rows, columns, strict=True)]


def outlines(labels: np.ndarray) -> list[np.ndarray]:
    """The borders of the three labels, as lists of voxel positions."""
    figure = mpl.figure.Figure()
    axes = figure.subplots()
    smooth = [torch.from_numpy((labels == value).astype(np.float32))[None, None] for value in (1, 2, 3)]
    blurred = [pb.ops.smooth(image, [1.1, 1.1])[0, 0].numpy() for image in smooth]
    drawn = [axes.contour(image, [0.5]) for image in blurred]
    return [line[:, ::-1] for contour in drawn for line in contour.allsegs[0]]


def lattice() -> list[torch.Tensor]:
    """Lines of a regular grid on the moving image, voxels."""
    lines = []
    for axis in (0, 1):
        along = torch.arange(CROP[1 - axis].start - 8, CROP[1 - axis].stop + 8, POINTS_APART, dtype=torch.float64)
        for place in range(CROP[axis].start - 4, CROP[axis].stop + 8, LINES_APART):
            fixed_at = torch.full_like(along, place)
            lines.append(torch.stack([fixed_at, along] if axis == 0 else [along, fixed_at], dim=1))
    return lines


class Scene:
    """The two images, what was found, and the pictures that are made of it."""

    def __init__(self) -> None:
        cine = beating_heart((0.0, 0.36), seed=3, noise=0.012)
        self.fixed, self.moving = cine.frames
        self.labels, self.moving_labels = cine.labels
        self.space = self.fixed.space
        found = pb.register(self.fixed, self.moving, "cardiac-sax")
        self.field = found.transform.displace(self.space)
        self.lines = outlines(self.labels.numpy())

    def frame(self, part: float) -> tuple[Picture.Image, float]:
        """The whole picture with this part of the displacement, and its Dice."""
        transform = Displacement(part * self.field, self.space)
        warped = resample(self.moving, transform, self.space).numpy()
        dice = mean_dice(self.labels, pb.apply(transform, self.moving_labels, onto=self.fixed))
        fixed = self.fixed.numpy()
        both = fixed[..., None] * np.array(FIXED_COLOUR) + warped[..., None] * np.array(MOVING_COLOUR)
        third = enlarged(both)
        panels = [self.outlined(enlarged(fixed)), self.outlined(self.gridded(enlarged(warped), transform)), third]
        return compose(panels, part, dice), dice

    def outlined(self, picture: Picture.Image) -> Picture.Image:
        pen = ImageDraw.Draw(picture)
        for line in self.lines:
            pen.line(at_pixels(line), fill="#ffd23f", width=round(1.6 * FINER), joint="curve")
        return picture

    def gridded(self, picture: Picture.Image, transform: Displacement) -> Picture.Image:
        """With a grid that is painted on the moving image and pulled back with it."""
        layer = Picture.new("RGBA", picture.size)
        pen, back = ImageDraw.Draw(layer), transform.inverse()
        for line in lattice():
            seen = self.space.to_voxels(back(self.space.to_world(line))).numpy()
            pen.line(at_pixels(seen), fill=GRID, width=FINER, joint="curve")
        return Picture.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


def compose(panels: list[Picture.Image], part: float, dice: float) -> Picture.Image:
    """Three panels with their names, and the measure of success below."""
    width, height = 3 * PANEL + 2 * GAP, TOP + PANEL + BOTTOM
    page = Picture.new("RGB", ((width + 2 * GAP) * FINER, height * FINER), PAPER)
    pen = ImageDraw.Draw(page)
    second = "moving: end of systole" if part == 0 else "moving, pulled back onto fixed"
    names = [("fixed: end of diastole", FIXED), (second, MOVING), ("both: grey where they agree", INK)]
    for k, (panel, (words, colour)) in enumerate(zip(panels, names, strict=True)):
        left = (GAP + k * (PANEL + GAP)) * FINER
        page.paste(panel, (left, TOP * FINER))
        pen.text((left, 8 * FINER), words, font=font(13, bold=True), fill=colour)
    bar(pen, TOP + PANEL + 16, width, dice)
    return page.resize((page.width // FINER, page.height // FINER), Picture.Resampling.LANCZOS)


def bar(pen: ImageDraw.ImageDraw, y: int, width: int, dice: float) -> None:
    """How far Dice has come, from 0 to 1."""
    words, left, right = "overlap of the heart’s parts (Dice)", GAP + 268, GAP + width - 52
    pen.text((GAP * FINER, (y - 2) * FINER), words, font=font(13), fill=FAINT)
    box = [v * FINER for v in (left, y, right, y + 13)]
    pen.rounded_rectangle(box, radius=6 * FINER, fill=TRACK)
    pen.rounded_rectangle([*box[:2], box[0] + dice * (box[2] - box[0]), box[3]], radius=6 * FINER, fill=FIXED)
    pen.text(((right + 12) * FINER, (y - 4) * FINER), f"{dice:.2f}", font=font(16, bold=True), fill=INK)


def main() -> None:
    scene = Scene()
    steps = parts()
    frames, dices = zip(*(scene.frame(part) for part, _ in steps), strict=True)
    durations = [milliseconds for _, milliseconds in steps]
    frames[0].save(OUT, save_all=True, append_images=frames[1:], duration=durations, loop=0, quality=74, method=6,
                   minimize_size=True, kmax=100, kmin=50)  # fmt: skip
    print(f"{OUT.name}: {OUT.stat().st_size / 1000:.0f} kB, {sum(durations) / 1000:.1f} s, Dice {dices[0]:.2f} to "
          f"{dices[FORWARD + 1]:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()

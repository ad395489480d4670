"""Images whose channels lie side by side, voxel after voxel: how many channels are read fastest at far places."""

from pullback.ops import _native
from pullback.ops._memory import empty
from pullback.typing import Batch, Tensor

SPARE = 16
"""Numbers behind the last voxel that may be read, though nothing is made of them."""


def abreast(image: Batch) -> Batch:
    """The same image, of a batch of one, with the channels of each voxel side by side in memory; itself if they are.

    Any op takes it as it takes the image; most of them copy it first. A GPU reads channels one by one: there nothing
    changes.
    """
    if is_abreast(image) or image.device.type == "cuda":
        return image
    count = image.numel() + SPARE
    memory = empty(count) if _native.suits(image) else image.new_empty(count)
    result = memory[:-SPARE].view(1, *image.shape[2:], image.shape[1]).movedim(-1, 1)
    result.copy_(image)
    return result


def is_abreast(image: Tensor) -> bool:
    """Whether an image is laid out so, with something to spare behind it."""
    if len(image) != 1 or not image.movedim(1, -1).is_contiguous():
        return False
    whole = image.untyped_storage().nbytes() // image.element_size()
    return whole >= image.storage_offset() + image.numel() + SPARE

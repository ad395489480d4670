"""What the scanner adds: Rician noise and a smooth shading of the receive coils. Neither moves with the tissue."""

import torch

from pullback.errors import InputError
from pullback.image import Image
from pullback.phantom.seeds import stream
from pullback.phantom.texture import Texture


def add_noise(image: Image, sigma: float, seed: int = 0, name: str = "") -> Image:
    """The magnitude of the image plus complex Gaussian noise.

    Gudbjartsson and Patz, Magnetic Resonance in Medicine 34(6), 1995: |I + n1 + i n2| is Rician.

    Args:
        image: non-negative intensities.
        sigma: standard deviation of each part of the noise, in the image's own unit; 0 changes nothing.
        seed: the same seed and name give the same bits.
        name: of this image among those that share a seed.

    Example:
        >>> flat = Image.of(torch.zeros(64, 64))
        >>> round(float(add_noise(flat, 1.0).data.mean()), 1)  # sqrt(pi / 2): Rician noise is not of mean zero
        1.3
    """
    if sigma < 0:
        raise InputError(f"noise needs a sigma of 0 or more; got {sigma}")
    if sigma == 0:
        return image
    generator = stream(seed, "noise", name)
    real = torch.randn(image.data.shape, generator=generator, dtype=torch.float32)
    imaginary = torch.randn(image.data.shape, generator=generator, dtype=torch.float32)
    data = torch.hypot(image.data + sigma * real.to(image.data), sigma * imaginary.to(image.data))
    return Image(data, image.space)


def add_bias(image: Image, strength: float, seed: int = 0, name: str = "") -> Image:
    """The image shaded as by receive coils: times exp(strength * a smooth random field of standard deviation 1).

    Args:
        image: intensities.
        strength: 0.2 changes intensities by about 20 per cent; 0 changes nothing.
        seed: the same seed and name give the same bits.
        name: of this image among those that share a seed.

    Example:
        >>> shaded = add_bias(Image.of(torch.ones(64, 64)), 0.2)
        >>> bool(shaded.data.std() > 0.05)
        True
    """
    if strength == 0:
        return image
    side = max(image.space.extent)
    field = Texture.random(stream(seed, "bias", name), (side, 3 * side), count=8, dimension=image.dimension)
    values = field(image.space.grid() - image.space.centre)
    values = (values - values.mean()) / values.std().clamp(min=1e-6)
    return Image(image.data * torch.exp(strength * values).to(image.data), image.space)

"""The finest floating-point type that a device computes with."""

import torch


def finest(device: torch.device) -> torch.dtype:
    """Double precision; single on Apple's GPUs, which have no doubles."""
    return torch.float32 if device.type == "mps" else torch.float64

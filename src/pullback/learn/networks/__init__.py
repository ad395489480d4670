"""Networks: two images on one grid in, a displacement in voxels out. The only place of torch.nn.Module."""

from pullback.learn.networks.network import Network
from pullback.learn.networks.prediction import Prediction, warp
from pullback.learn.networks.voxelmorph import VoxelMorph

__all__ = ["Network", "Prediction", "VoxelMorph", "warp"]

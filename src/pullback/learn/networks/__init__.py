"""Networks: two images on one grid in, a displacement in voxels out. The only place of torch.nn.Module."""

from pullback.learn.networks.affine_network import AffineNetwork
from pullback.learn.networks.fields import warp
from pullback.learn.networks.network import Network
from pullback.learn.networks.pair_network import PairNetwork
from pullback.learn.networks.prediction import Prediction
from pullback.learn.networks.pyramid import Pyramid
from pullback.learn.networks.voxelmorph import VoxelMorph

__all__ = ["AffineNetwork", "Network", "PairNetwork", "Prediction", "Pyramid", "VoxelMorph", "warp"]

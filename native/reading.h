// Where a block of output voxels reads, and which of its positions lie inside the image: what every kernel that reads
// at affine-plus-displacement positions begins with.
#pragma once
#include <algorithm>
#include <cstdint>

#include "pullback.h"

namespace pb {
namespace PB_ISA {

constexpr int kReach = 256;  // output voxels handled together: everything about them fits in the first-level cache

// Positions of a block of voxels along x, in voxels of the image, one array per axis {z, y, x}.
struct Places {
  alignas(64) float p[3][kReach];
};

// The affine part is summed in double precision, so that positions half-way between two voxels stay there.
inline void places(const Reading& where, int64_t z, int64_t y, int64_t x0, int n, Places& at) {
  const int dim = where.dim, skip = 3 - dim;
  const int64_t plane = where.shape[1] * where.shape[2], volume = plane * where.shape[0];
  const int64_t begin = z * plane + y * where.shape[2] + x0;
  if (dim == 2) std::fill(at.p[0], at.p[0] + n, 0.0f);
  for (int i = 0; i < dim; ++i) {
    const double* row = where.matrix + i * (dim + 1);
    const double slice = dim == 3 ? row[0] * static_cast<double>(z) : 0.0;
    const double start = row[dim] + slice + row[dim - 2] * static_cast<double>(y), step = row[dim - 1];
    const int first = static_cast<int>(x0);
    float* p = at.p[i + skip];
    for (int x = 0; x < n; ++x) p[x] = static_cast<float>(start + step * static_cast<double>(first + x));
    if (!where.displacement) continue;
    const double* mix = where.mix + i * dim;
    const float* u = where.displacement + begin;
    const float a = static_cast<float>(mix[0]), b = static_cast<float>(mix[1]);
    if (dim == 2) {
      for (int x = 0; x < n; ++x) p[x] += a * u[x] + b * u[volume + x];
    } else {
      const float c = static_cast<float>(mix[2]);
      for (int x = 0; x < n; ++x) p[x] += a * u[x] + b * u[volume + x] + c * u[2 * volume + x];
    }
  }
}

// 1 where a position is within half a voxel of the outermost voxel centres, else 0.
inline void mark_inside(const Places& at, Grid size, int n, float* mask) {
  const float nz = static_cast<float>(size.n[0]) - 0.5f, ny = static_cast<float>(size.n[1]) - 0.5f,
              nx = static_cast<float>(size.n[2]) - 0.5f;
  const float *pz = at.p[0], *py = at.p[1], *px = at.p[2];
  for (int x = 0; x < n; ++x) {
    const bool in = (pz[x] >= -0.5f) & (pz[x] < nz) & (py[x] >= -0.5f) & (py[x] < ny) & (px[x] >= -0.5f) & (px[x] < nx);
    mask[x] = in ? 1.0f : 0.0f;
  }
}

// body(z, y, x0, n, offset) for the blocks [first, last) of all the output's blocks, row after row.
inline int64_t blocks_per_row(const Reading& where) { return (where.shape[2] + kReach - 1) / kReach; }

template <class Body>
void each_block_of(const Reading& where, int64_t first, int64_t last, const Body& body) {
  const int64_t ny = where.shape[1], nx = where.shape[2], per_row = blocks_per_row(where);
  for (int64_t k = first; k < last; ++k) {
    const int64_t row = k / per_row, x0 = k % per_row * kReach;
    body(row / ny, row % ny, x0, static_cast<int>(std::min<int64_t>(kReach, nx - x0)), row * nx + x0);
  }
}

}  // namespace PB_ISA
}  // namespace pb

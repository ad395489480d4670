// Nearest-voxel reading at affine-plus-displacement positions; halves go up, the edge is repeated.
#include "parallel.h"
#include "reading.h"

namespace pb {
namespace PB_ISA {
namespace {

void add_index(const float* p, int n, int64_t size, int64_t stride, int32_t* offset) {
  const float last = static_cast<float>(size - 1);
  const int32_t s = static_cast<int32_t>(stride);
  for (int x = 0; x < n; ++x)  // in this order NaN becomes 0; truncation of what is not negative is floor
    offset[x] += s * static_cast<int32_t>(std::min(last, std::max(0.0f, p[x] + 0.5f)));
}

}  // namespace

void nearest(const float* image, Grid size, int channels, const Reading& where, int clamp, float outside, float* values,
             int threads) {
  const int64_t voxels = where.shape[0] * where.shape[1] * where.shape[2];
  const int64_t blocks = where.shape[0] * where.shape[1] * blocks_per_row(where);
  parallel(blocks, useful_threads(voxels, threads), [&](int64_t first, int64_t last, int) {
    Places at;
    alignas(64) int32_t offset[kReach];
    alignas(64) float mask[kReach];
    each_block_of(where, first, last, [&](int64_t z, int64_t y, int64_t x0, int n, int64_t begin) {
      places(where, z, y, x0, n, at);
      std::fill(offset, offset + n, 0);
      add_index(at.p[0], n, size.n[0], size.n[1] * size.n[2], offset);
      add_index(at.p[1], n, size.n[1], size.n[2], offset);
      add_index(at.p[2], n, size.n[2], 1, offset);
      if (!clamp) mark_inside(at, size, n, mask);
      for (int c = 0; c < channels; ++c) {
        const float* from = image + c * size.count();
        float* out = values + c * voxels + begin;
        for (int x = 0; x < n; ++x) out[x] = from[offset[x]];
        if (!clamp)
          for (int x = 0; x < n; ++x) out[x] = mask[x] > 0 ? out[x] : outside;
      }
    });
  });
}

}  // namespace PB_ISA
}  // namespace pb

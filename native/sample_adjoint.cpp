// The gradient of linear and nearest reading with respect to the image: every output voxel's gradient is added to the
// corners it was read from.
//
// Each thread owns a slab of the image and adds to nothing else, so that threads never meet and every voxel receives
// its shares in the order of the output, whatever the number of threads. Which planes a block of output voxels touches
// is found first: a thread passes over the blocks that do not touch its slab.
#include <cmath>
#include <vector>

#include "parallel.h"
#include "reading.h"

namespace pb {
namespace PB_ISA {
namespace {

// Lower corner's index, offset to the upper corner, and weight of the upper corner, along one axis.
struct Axis {
  alignas(64) int32_t index[kReach];
  alignas(64) int32_t step[kReach];  // 0 at the end of the axis
  alignas(64) float t[kReach];
};

struct Corners {
  alignas(64) int32_t offset[8][kReach];
  alignas(64) float weight[8][kReach];
};

void split(const float* p, int n, int64_t size, int64_t stride, bool nearest, Axis& axis) {
  const float last = static_cast<float>(size - 1), shift = nearest ? 0.5f : 0.0f;
  const int32_t s = static_cast<int32_t>(stride), top = static_cast<int32_t>(size - 1);
  for (int x = 0; x < n; ++x) {
    const float q = std::min(last, std::max(0.0f, p[x] + shift));  // in this order NaN becomes 0
    const int32_t i = static_cast<int32_t>(q);                     // q >= 0: truncation is floor
    axis.index[x] = i;
    axis.step[x] = i < top ? s : 0;
    axis.t[x] = q - static_cast<float>(i);
  }
}

// Corner k's bits are the upper ends along {z, y, x}; of `count` corners, the last ones vary.
void weigh(const Axis axis[3], Grid size, int n, int count, Corners& corners) {
  const int32_t plane = static_cast<int32_t>(size.n[1] * size.n[2]), row = static_cast<int32_t>(size.n[2]);
  for (int k = 0; k < count; ++k) {
    const int bz = k >> 2 & 1, by = k >> 1 & 1, bx = k & 1;
    for (int x = 0; x < n; ++x) {
      corners.offset[k][x] = axis[0].index[x] * plane + axis[1].index[x] * row + axis[2].index[x] +
                             (bz ? axis[0].step[x] : 0) + (by ? axis[1].step[x] : 0) + (bx ? axis[2].step[x] : 0);
      const float wx = bx ? axis[2].t[x] : 1.0f - axis[2].t[x], wy = by ? axis[1].t[x] : 1.0f - axis[1].t[x];
      const float wz = bz ? axis[0].t[x] : 1.0f - axis[0].t[x];
      corners.weight[k][x] = count == 1 ? 1.0f : count == 4 ? wy * wx : wz * (wy * wx);
    }
  }
}

// The products are stored before they are added, so that they are rounded alike on every path.
void multiply(const Corners& corners, const float* gradient, int n, int count, float products[8][kReach]) {
  for (int k = 0; k < count; ++k)
    for (int x = 0; x < n; ++x) products[k][x] = corners.weight[k][x] * gradient[x];
}

template <int Count>
void add(const Corners& corners, const float products[8][kReach], int n, float* image) {
  for (int x = 0; x < n; ++x)
    for (int k = 0; k < Count; ++k) image[corners.offset[k][x]] += products[k][x];
}

struct Slab {
  int axis;
  int32_t first, last;  // planes owned, the last one not included
};

void add_owned(const Corners& corners, const float products[8][kReach], const Axis& cut, int n, int count, Slab slab,
               float* image) {
  const int bit = 2 - slab.axis;
  for (int x = 0; x < n; ++x) {
    const int32_t low = cut.index[x], high = low + (cut.step[x] ? 1 : 0);
    const bool owned[2] = {low >= slab.first && low < slab.last, high >= slab.first && high < slab.last};
    for (int k = 0; k < count; ++k)
      if (owned[k >> bit & 1]) image[corners.offset[k][x]] += products[k][x];
  }
}

// The axis along which a row of the output spreads over the smallest part of the image: few rows then touch two slabs.
int axis_to_cut(Grid size, const Reading& where) {
  const int skip = 3 - where.dim;
  int best = skip;
  double least = 1e30;
  for (int i = 0; i < where.dim; ++i) {
    const double spread = (std::fabs(where.matrix[i * (where.dim + 1) + where.dim - 1]) * kReach + 8) /
                          static_cast<double>(size.n[i + skip]);
    if (spread < least) least = spread, best = i + skip;
  }
  return best;
}

struct Range {
  int32_t low, high;
};

// Slabs that about as many blocks begin in.
std::vector<int32_t> fair_slabs(const std::vector<Range>& reach, int64_t planes, int threads) {
  std::vector<int64_t> begun(planes + 1, 0);
  for (const Range& r : reach) ++begun[r.low + 1];
  for (int64_t i = 0; i < planes; ++i) begun[i + 1] += begun[i];
  std::vector<int32_t> edges(threads + 1, static_cast<int32_t>(planes));
  edges[0] = 0;
  for (int s = 1; s < threads; ++s)
    edges[s] = static_cast<int32_t>(
        std::lower_bound(begun.begin(), begun.end(), begun[planes] * s / threads) - begun.begin());
  for (int s = 1; s <= threads; ++s) edges[s] = std::max(edges[s - 1], std::min<int32_t>(edges[s], planes));
  return edges;
}

void touched(Grid size, const Reading& where, bool nearest, int cut, int threads, std::vector<Range>& reach) {
  parallel(static_cast<int64_t>(reach.size()), threads, [&](int64_t first, int64_t last, int) {
    Places at;
    Axis axis;
    int64_t k = first;
    each_block_of(where, first, last, [&](int64_t z, int64_t y, int64_t x0, int n, int64_t) {
      places(where, z, y, x0, n, at);
      split(at.p[cut], n, size.n[cut], 1, nearest, axis);
      int32_t low = axis.index[0], high = low;
      for (int x = 0; x < n; ++x) low = std::min(low, axis.index[x]), high = std::max(high, axis.index[x]);
      reach[k++] = {low, std::min<int32_t>(high + (nearest ? 0 : 1), static_cast<int32_t>(size.n[cut] - 1))};
    });
  });
}

}  // namespace

void sample_adjoint(float* image, Grid size, int channels, const Reading& where, int nearest, int clamp,
                    const float* gradient, int threads) {
  const int64_t voxels = where.shape[0] * where.shape[1] * where.shape[2];
  const int64_t blocks = where.shape[0] * where.shape[1] * blocks_per_row(where);
  const int count = nearest ? 1 : size.n[0] > 1 ? 8 : 4, cut = axis_to_cut(size, where);
  threads = static_cast<int>(std::min<int64_t>(useful_threads(voxels, threads), size.n[cut]));
  parallel(channels * size.count(), threads, [&](int64_t first, int64_t last, int) {
    std::fill(image + first, image + last, 0.0f);
  });
  if (voxels == 0) return;
  std::vector<Range> reach(blocks, {0, static_cast<int32_t>(size.n[cut] - 1)});
  if (threads > 1) touched(size, where, nearest, cut, threads, reach);
  const std::vector<int32_t> edges = fair_slabs(reach, size.n[cut], threads);
  parallel(threads, threads, [&](int64_t, int64_t, int share) {
    const Slab slab = {cut, edges[share], edges[share + 1]};
    Places at;
    Axis axis[3];
    Corners corners;
    alignas(64) float mask[kReach], masked[kReach], products[8][kReach];
    for (int64_t k = 0; k < blocks; ++k) {
      if (reach[k].high < slab.first || reach[k].low >= slab.last) continue;
      const bool whole = reach[k].low >= slab.first && reach[k].high < slab.last;
      each_block_of(where, k, k + 1, [&](int64_t z, int64_t y, int64_t x0, int n, int64_t begin) {
        places(where, z, y, x0, n, at);
        for (int i = 0; i < 3; ++i)
          split(at.p[i], n, size.n[i], i == 0 ? size.n[1] * size.n[2] : i == 1 ? size.n[2] : 1, nearest, axis[i]);
        weigh(axis, size, n, count, corners);
        if (!clamp) mark_inside(at, size, n, mask);
        for (int c = 0; c < channels; ++c) {
          const float* g = gradient + c * voxels + begin;
          if (!clamp) {
            for (int x = 0; x < n; ++x) masked[x] = mask[x] > 0 ? g[x] : 0.0f;
            g = masked;
          }
          float* into = image + c * size.count();
          multiply(corners, g, n, count, products);
          if (!whole) add_owned(corners, products, axis[cut], n, count, slab, into);
          else if (count == 8) add<8>(corners, products, n, into);
          else if (count == 4) add<4>(corners, products, n, into);
          else add<1>(corners, products, n, into);
        }
      });
    }
  });
}

}  // namespace PB_ISA
}  // namespace pb

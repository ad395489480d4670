// The gradient of linear and nearest reading with respect to the image: every output voxel's gradient is added to the
// corners it was read from, to what is there already.
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

// The rows of the image that a block was read from, two for each of y and z: where a voxel's two neighbours of the row
// begin, and what is added to them.
struct Row {
  alignas(64) int32_t offset[kReach];
  alignas(64) float weight[kReach];
  alignas(64) float low[kReach];
  alignas(64) float high[kReach];
};

void split(const float* p, int n, int64_t size, int64_t stride, bool nearest, Axis& axis) {
  const float last = static_cast<float>(size - 1), shift = nearest ? 0.5f : 0.0f;
  const int32_t s = static_cast<int32_t>(stride), top = static_cast<int32_t>(size - 1);
  for (int x = 0; x < n; ++x) {
    const float q = std::min(last, std::max(0.0f, p[x] + shift));  // in this order NaN becomes 0
    const int32_t i = static_cast<int32_t>(q);                     // q >= 0: truncation is floor
    axis.index[x] = i;
    axis.step[x] = i < top ? s : 0;
    axis.t[x] = nearest ? 0.0f : q - static_cast<float>(i);
  }
}

// Row k's bits are the upper ends along z and y; of `count` rows (1, 2 or 4), the last axes vary.
void weigh(const Axis axis[3], Grid size, int n, int count, Row* rows) {
  const int32_t plane = static_cast<int32_t>(size.n[1] * size.n[2]), row = static_cast<int32_t>(size.n[2]);
  for (int x = 0; x < n; ++x) {
    rows[0].offset[x] = axis[0].index[x] * plane + axis[1].index[x] * row + axis[2].index[x];
    rows[0].weight[x] = 1.0f;
  }
  if (count >= 2)
    for (int x = 0; x < n; ++x) {
      rows[1].offset[x] = rows[0].offset[x] + axis[1].step[x];
      rows[0].weight[x] = 1.0f - axis[1].t[x];
      rows[1].weight[x] = axis[1].t[x];
    }
  for (int k = 0; count == 4 && k < 2; ++k)
    for (int x = 0; x < n; ++x) {
      rows[k + 2].offset[x] = rows[k].offset[x] + axis[0].step[x];
      rows[k + 2].weight[x] = axis[0].t[x] * rows[k].weight[x];
      rows[k].weight[x] = (1.0f - axis[0].t[x]) * rows[k].weight[x];
    }
}

// The products are stored before they are added, so that they are rounded alike on every path.
void multiply(const float* tx, const float* gradient, int n, int count, Row* rows) {
  for (int k = 0; k < count; ++k) {
    Row& row = rows[k];
    for (int x = 0; x < n; ++x) {
      const float both = row.weight[x] * gradient[x];
      row.high[x] = tx[x] * both;
      row.low[x] = (1.0f - tx[x]) * both;
    }
  }
}

// `owned(x)` says whether the thread owns the row. (To sum neighbours that share an address before memory is met costs
// more, in branches that a rough field makes unforeseeable, than it saves.)
template <class Owned>
void add(const Row& row, const int32_t* step, int n, const Owned& owned, float* image) {
  for (int x = 0; x < n; ++x) {
    if (!owned(x)) continue;
    float* to = image + row.offset[x];
    to[0] += row.low[x];
    to[step[x]] += row.high[x];
  }
}

struct Slab {
  int axis;
  int32_t first, last;  // planes owned, the last one not included
};

void add_owned(const Row& row, const Axis* axis, bool upper, int n, Slab slab, float* image) {
  const Axis& cut = axis[slab.axis];
  const auto owned = [&](int x) {
    const int32_t i = cut.index[x] + (upper && cut.step[x] ? 1 : 0);
    return i >= slab.first && i < slab.last;
  };
  add(row, axis[2].step, n, owned, image);
}

// Slices or rows, whichever a row of the output spreads over the smaller part of: few blocks then touch two slabs.
int axis_to_cut(Grid size, const Reading& where) {
  if (where.dim == 2) return 1;
  const auto spread = [&](int i) {
    return (std::fabs(where.matrix[i * 4 + 2]) * kReach + 8) / static_cast<double>(size.n[i]);
  };
  return spread(0) <= spread(1) ? 0 : 1;
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
  const int count = nearest ? 1 : size.n[0] > 1 ? 4 : 2, cut = axis_to_cut(size, where);
  threads = static_cast<int>(std::min<int64_t>(useful_threads(voxels, threads), size.n[cut]));
  if (voxels == 0) return;
  std::vector<Range> reach(blocks, {0, static_cast<int32_t>(size.n[cut] - 1)});
  if (threads > 1) touched(size, where, nearest, cut, threads, reach);
  const std::vector<int32_t> edges = fair_slabs(reach, size.n[cut], threads);
  parallel(threads, threads, [&](int64_t, int64_t, int share) {
    const Slab slab = {cut, edges[share], edges[share + 1]};
    Places at;
    Axis axis[3];
    Row rows[4];
    alignas(64) float mask[kReach], masked[kReach];
    for (int64_t k = 0; k < blocks; ++k) {
      if (reach[k].high < slab.first || reach[k].low >= slab.last) continue;
      const bool whole = reach[k].low >= slab.first && reach[k].high < slab.last;
      each_block_of(where, k, k + 1, [&](int64_t z, int64_t y, int64_t x0, int n, int64_t begin) {
        places(where, z, y, x0, n, at);
        for (int i = 0; i < 3; ++i)
          split(at.p[i], n, size.n[i], i == 0 ? size.n[1] * size.n[2] : i == 1 ? size.n[2] : 1, nearest, axis[i]);
        weigh(axis, size, n, count, rows);
        if (!clamp) mark_inside(at, size, n, mask);
        for (int c = 0; c < channels; ++c) {
          const float* g = gradient + c * voxels + begin;
          if (!clamp) {
            for (int x = 0; x < n; ++x) masked[x] = mask[x] > 0 ? g[x] : 0.0f;
            g = masked;
          }
          float* into = image + c * size.count();
          multiply(axis[2].t, g, n, count, rows);
          for (int r = 0; r < count; ++r) {
            if (whole) add(rows[r], axis[2].step, n, [](int) { return true; }, into);
            else add_owned(rows[r], axis, cut == 0 ? r >= 2 : r & 1, n, slab, into);
          }
        }
      });
    }
  });
}

}  // namespace PB_ISA
}  // namespace pb

// Linear interpolation at affine-plus-displacement positions: values, gradient with respect to position, and the mask
// of positions inside. A row of output voxels at a time; positions, weights and corner offsets of the row come first,
// then the corners are gathered. The position beyond the outermost voxel centres is clamped to them.
#include <algorithm>
#include <cmath>
#include <vector>

#include "parallel.h"
#include "pullback.h"

namespace pb {
namespace PB_ISA {
namespace {

constexpr int kBlock = 256;  // output voxels handled together: everything about them fits in the first-level cache

// Positions of a block of voxels along x, in voxels of the image, one array per axis {z, y, x}.
struct Block {
  alignas(64) float p[3][kBlock];
};

void positions(const Reading& where, int64_t z, int64_t y, int64_t x0, int n, Block& block) {
  const int dim = where.dim, skip = 3 - dim;
  const int64_t plane = where.shape[1] * where.shape[2], volume = plane * where.shape[0];
  const int64_t at = z * plane + y * where.shape[2] + x0;
  if (dim == 2) std::fill(block.p[0], block.p[0] + n, 0.0f);
  for (int i = 0; i < dim; ++i) {
    const double* row = where.matrix + i * (dim + 1);
    const double base = (dim == 3 ? row[0] * static_cast<double>(z) : 0.0) + row[dim - 2] * static_cast<double>(y) + row[dim];
    const double start = base + row[dim - 1] * static_cast<double>(x0);
    const float step = static_cast<float>(row[dim - 1]), origin = static_cast<float>(start);
    float* p = block.p[i + skip];
    if (!where.displacement) {
      for (int x = 0; x < n; ++x) p[x] = origin + step * static_cast<float>(x);
      continue;
    }
    const double* mix = where.mix + i * dim;
    const float* u = where.displacement + at;
    const float a = static_cast<float>(mix[0]), b = static_cast<float>(mix[1]);
    if (dim == 2) {
      for (int x = 0; x < n; ++x) p[x] = origin + step * static_cast<float>(x) + (a * u[x] + b * u[volume + x]);
    } else {
      const float c = static_cast<float>(mix[2]);
      for (int x = 0; x < n; ++x)
        p[x] = origin + step * static_cast<float>(x) + (a * u[x] + b * u[volume + x] + c * u[2 * volume + x]);
    }
  }
}

// Lower corner, offset to the upper corner, and weight of the upper corner, along one axis.
struct Axis {
  alignas(64) int32_t low[kBlock];
  alignas(64) int32_t step[kBlock];  // 0 where clamped at the end of the axis
  alignas(64) float t[kBlock];
};

void corners(const float* p, int n, int64_t size, int64_t stride, Axis& axis) {
  const float last = static_cast<float>(size - 1);
  const int32_t s = static_cast<int32_t>(stride), top = static_cast<int32_t>(size - 1);
  for (int x = 0; x < n; ++x) {
    const float q = std::min(last, std::max(0.0f, p[x]));  // in this order NaN becomes 0
    const int32_t i = static_cast<int32_t>(q);  // q >= 0: truncation is floor
    axis.low[x] = i * s;
    axis.step[x] = i < top ? s : 0;
    axis.t[x] = q - static_cast<float>(i);
  }
}

inline bool within(float p, int64_t size) { return p >= -0.5f && p < static_cast<float>(size) - 0.5f; }

void mask_block(const Block& block, Grid size, int n, float* mask) {
  for (int x = 0; x < n; ++x) {
    const bool in = within(block.p[0][x], size.n[0]) & within(block.p[1][x], size.n[1]) & within(block.p[2][x], size.n[2]);
    mask[x] = in ? 1.0f : 0.0f;
  }
}

template <bool Deep>
void values_block(const float* image, const Axis axis[3], int n, float* out) {
  for (int x = 0; x < n; ++x) {
    const int32_t o = axis[0].low[x] + axis[1].low[x] + axis[2].low[x];
    const int32_t sx = axis[2].step[x], sy = axis[1].step[x];
    const float tx = axis[2].t[x], ty = axis[1].t[x];
    const float a0 = image[o], a1 = image[o + sx], b0 = image[o + sy], b1 = image[o + sy + sx];
    const float a = a0 + tx * (a1 - a0), b = b0 + tx * (b1 - b0);
    float v = a + ty * (b - a);
    if (Deep) {
      const int32_t q = o + axis[0].step[x];
      const float c0 = image[q], c1 = image[q + sx], d0 = image[q + sy], d1 = image[q + sy + sx];
      const float c = c0 + tx * (c1 - c0), d = d0 + tx * (d1 - d0);
      v += axis[0].t[x] * ((c + ty * (d - c)) - v);
    }
    out[x] = v;
  }
}

// force[i] += gradient * d image / d p_i; nothing along an axis whose position was clamped.
template <bool Deep>
void slopes_block(const float* image, const Axis axis[3], const float* gradient, int n, float force[3][kBlock]) {
  for (int x = 0; x < n; ++x) {
    const int32_t o = axis[0].low[x] + axis[1].low[x] + axis[2].low[x];
    const int32_t sx = axis[2].step[x], sy = axis[1].step[x];
    const float tx = axis[2].t[x], ty = axis[1].t[x], g = gradient[x];
    const float a0 = image[o], a1 = image[o + sx], b0 = image[o + sy], b1 = image[o + sy + sx];
    const float a = a0 + tx * (a1 - a0), b = b0 + tx * (b1 - b0);
    float dx = (a1 - a0) + ty * ((b1 - b0) - (a1 - a0)), dy = b - a;
    if (Deep) {
      const int32_t q = o + axis[0].step[x];
      const float tz = axis[0].t[x];
      const float c0 = image[q], c1 = image[q + sx], d0 = image[q + sy], d1 = image[q + sy + sx];
      const float c = c0 + tx * (c1 - c0), d = d0 + tx * (d1 - d0);
      const float ex = (c1 - c0) + ty * ((d1 - d0) - (c1 - c0)), ey = d - c;
      force[0][x] += g * ((c + ty * ey) - (a + ty * dy));
      dx += tz * (ex - dx);
      dy += tz * (ey - dy);
    }
    force[1][x] += g * dy;
    force[2][x] += g * dx;
  }
}

void all_corners(const Block& block, Grid size, int n, Axis axis[3]) {
  corners(block.p[0], n, size.n[0], size.n[1] * size.n[2], axis[0]);
  corners(block.p[1], n, size.n[1], size.n[2], axis[1]);
  corners(block.p[2], n, size.n[2], 1, axis[2]);
}

// body(z, y, x0, n, offset, row) for every block of a share of the rows.
template <class Body>
void each_block(const Reading& where, int64_t first, int64_t last, const Body& body) {
  const int64_t ny = where.shape[1], nx = where.shape[2];
  for (int64_t row = first; row < last; ++row)
    for (int64_t x0 = 0; x0 < nx; x0 += kBlock)
      body(row / ny, row % ny, x0, static_cast<int>(std::min<int64_t>(kBlock, nx - x0)), row * nx + x0);
}

}  // namespace

void sample(const float* image, Grid size, int channels, const Reading& where, int clamp, float outside,
            const float* plus, float scale, float* values, int threads) {
  const int64_t rows = where.shape[0] * where.shape[1], voxels = rows * where.shape[2];
  const bool deep = size.n[0] > 1;
  parallel(rows, useful_threads(voxels, threads), [&](int64_t first, int64_t last, int) {
    Block block;
    Axis axis[3];
    alignas(64) float mask[kBlock];
    each_block(where, first, last, [&](int64_t z, int64_t y, int64_t x0, int n, int64_t at) {
      positions(where, z, y, x0, n, block);
      all_corners(block, size, n, axis);
      if (!clamp) mask_block(block, size, n, mask);
      for (int c = 0; c < channels; ++c) {
        float* out = values + c * voxels + at;
        const float* from = image + c * size.count();
        deep ? values_block<true>(from, axis, n, out) : values_block<false>(from, axis, n, out);
        if (!clamp)
          for (int x = 0; x < n; ++x) out[x] = mask[x] > 0 ? out[x] : outside;
        if (plus)
          for (int x = 0; x < n; ++x) out[x] += scale * plus[c * voxels + at + x];
      }
    });
  });
}

// Sums over rows are kept per row and added in order, so that the number of threads does not change a bit.
void sample_backward(const float* image, Grid size, int channels, const Reading& where, int clamp, const float* gradient,
                     float* to_displacement, double* to_matrix, int threads) {
  const int dim = where.dim, skip = 3 - dim;
  const int64_t rows = where.shape[0] * where.shape[1], voxels = rows * where.shape[2];
  const bool deep = size.n[0] > 1;
  std::vector<double> sums(to_matrix ? rows * dim * 2 : 0);  // of each row: force, and force times x
  parallel(rows, useful_threads(voxels, threads), [&](int64_t first, int64_t last, int) {
    Block block;
    Axis axis[3];
    alignas(64) float mask[kBlock], masked[kBlock], force[3][kBlock];
    each_block(where, first, last, [&](int64_t z, int64_t y, int64_t x0, int n, int64_t at) {
      positions(where, z, y, x0, n, block);
      all_corners(block, size, n, axis);
      for (int i = 0; i < 3; ++i) std::fill(force[i], force[i] + n, 0.0f);
      if (!clamp) mask_block(block, size, n, mask);
      for (int c = 0; c < channels; ++c) {
        const float* g = gradient + c * voxels + at;
        if (!clamp) {
          for (int x = 0; x < n; ++x) masked[x] = g[x] * mask[x];
          g = masked;
        }
        const float* from = image + c * size.count();
        deep ? slopes_block<true>(from, axis, g, n, force) : slopes_block<false>(from, axis, g, n, force);
      }
      for (int i = 0; i < dim; ++i) {  // beyond the outermost voxel centres the edge is repeated: no slope there
        const float last_centre = static_cast<float>(size.n[i + skip] - 1);
        const float* p = block.p[i + skip];
        float* f = force[i + skip];
        for (int x = 0; x < n; ++x) f[x] = (p[x] >= 0.0f) & (p[x] <= last_centre) ? f[x] : 0.0f;
      }
      if (to_displacement)
        for (int j = 0; j < dim; ++j) {
          float* out = to_displacement + j * voxels + at;
          const float a = static_cast<float>(where.mix[j]), b = static_cast<float>(where.mix[dim + j]);
          const float c = dim == 3 ? static_cast<float>(where.mix[2 * dim + j]) : 0.0f;
          const float *f0 = force[skip], *f1 = force[skip + 1], *f2 = force[2];
          if (dim == 3)
            for (int x = 0; x < n; ++x) out[x] = a * f0[x] + b * f1[x] + c * f2[x];
          else
            for (int x = 0; x < n; ++x) out[x] = a * f0[x] + b * f1[x];
        }
      if (to_matrix)
        for (int i = 0; i < dim; ++i) {
          double sum = 0, moment = 0;
          for (int x = 0; x < n; ++x) {
            sum += force[i + skip][x];
            moment += static_cast<double>(force[i + skip][x]) * static_cast<double>(x0 + x);
          }
          double* into = sums.data() + ((z * where.shape[1] + y) * dim + i) * 2;
          into[0] += sum;
          into[1] += moment;
        }
    });
  });
  if (!to_matrix) return;
  std::fill(to_matrix, to_matrix + dim * (dim + 1), 0.0);
  for (int64_t row = 0; row < rows; ++row)
    for (int i = 0; i < dim; ++i) {
      const double sum = sums[(row * dim + i) * 2], moment = sums[(row * dim + i) * 2 + 1];
      double* into = to_matrix + i * (dim + 1);
      if (dim == 3) into[0] += sum * static_cast<double>(row / where.shape[1]);
      into[dim - 2] += sum * static_cast<double>(row % where.shape[1]);
      into[dim - 1] += moment;
      into[dim] += sum;
    }
}

void inside(Grid size, const Reading& where, float* mask, int threads) {
  const int64_t rows = where.shape[0] * where.shape[1];
  parallel(rows, useful_threads(rows * where.shape[2], threads), [&](int64_t first, int64_t last, int) {
    Block block;
    each_block(where, first, last, [&](int64_t z, int64_t y, int64_t x0, int n, int64_t at) {
      positions(where, z, y, x0, n, block);
      mask_block(block, size, n, mask + at);
    });
  });
}

// The largest Euclidean norm of the vectors of a field.
float largest(const float* field, int components, int64_t count, int threads) {
  threads = useful_threads(count, threads);
  std::vector<float> parts(threads, 0.0f);
  parallel(count, threads, [&](int64_t first, int64_t last, int share) {
    float most = 0.0f;
    for (int64_t v0 = first; v0 < last; v0 += kBlock) {
      const int n = static_cast<int>(std::min<int64_t>(kBlock, last - v0));
      alignas(64) float squares[kBlock];
      for (int v = 0; v < n; ++v) squares[v] = field[v0 + v] * field[v0 + v];
      for (int c = 1; c < components; ++c) {
        const float* from = field + c * count + v0;
        for (int v = 0; v < n; ++v) squares[v] += from[v] * from[v];
      }
      for (int v = 0; v < n; ++v) most = squares[v] <= most ? most : squares[v];
    }
    parts[share] = most;
  });
  return std::sqrt(*std::max_element(parts.begin(), parts.end()));
}

}  // namespace PB_ISA
}  // namespace pb

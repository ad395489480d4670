// Cubic B-spline reading at affine-plus-displacement positions, given the coefficients: values, and gradient with
// respect to the positions. Positions are clamped to the outermost voxel centres, the coefficients continued by
// mirroring about them (a table for each axis says where each tap lies).
#include <vector>

#include "parallel.h"
#include "reading.h"

namespace pb {
namespace PB_ISA {
namespace {

struct Tables {
  explicit Tables(Grid size) {
    const int64_t strides[3] = {size.n[1] * size.n[2], size.n[2], 1};
    for (int a = 0; a < 3; ++a) {
      const int64_t n = size.n[a];
      for (int64_t i = -1; i <= n + 1; ++i) {  // beyond n only at weight 0
        const int64_t up = std::abs(i), m = n == 1 ? 0 : n - 1 - std::abs(n - 1 - up);
        offset[a].push_back(static_cast<int32_t>(std::max<int64_t>(m, 0) * strides[a]));
      }
    }
  }
  std::vector<int32_t> offset[3];  // of the voxels -1 .. n + 1
};

// The voxel below each position, and the weights (or their slopes) of the four around it; by axis, then by voxel.
struct Taps {
  alignas(64) int32_t low[3][kReach];
  alignas(64) float weight[3][kReach][4];
  alignas(64) float slope[3][kReach][4];
};

void taps_of(const float* p, int n, int64_t size, bool slopes, int32_t* low, float (*weight)[4], float (*slope)[4]) {
  const float last = static_cast<float>(size - 1);
  alignas(64) float fraction[kReach];
  for (int x = 0; x < n; ++x) {
    const float q = std::min(last, std::max(0.0f, p[x]));  // in this order NaN becomes 0
    low[x] = static_cast<int32_t>(q);
    fraction[x] = q - static_cast<float>(low[x]);
  }
  for (int x = 0; x < n; ++x) {
    const float t = fraction[x], u = 1.0f - t, sixth = 1.0f / 6.0f;
    weight[x][0] = sixth * u * u * u;
    weight[x][1] = sixth * (4.0f + t * t * (3.0f * t - 6.0f));
    weight[x][2] = sixth * (4.0f + u * u * (3.0f * u - 6.0f));
    weight[x][3] = sixth * t * t * t;
  }
  if (!slopes) return;
  for (int x = 0; x < n; ++x) {  // none beyond the outermost voxel centres, where the edge is repeated
    const float t = fraction[x], u = 1.0f - t, on = (p[x] >= 0.0f) & (p[x] <= last) ? 0.5f : 0.0f;
    slope[x][0] = -on * u * u;
    slope[x][1] = on * t * (3.0f * t - 4.0f);
    slope[x][2] = -on * u * (3.0f * u - 4.0f);
    slope[x][3] = on * t * t;
  }
}

// The four coefficients along x from a row: side by side, or, near its ends, where the table says.
template <bool Straight>
inline void add_row(const float* row, const int32_t* along, float w, float sum[4]) {
  for (int k = 0; k < 4; ++k) sum[k] += w * (Straight ? row[k] : row[along[k]]);
}

template <bool Straight>
inline float value_at(const float* image, const int32_t* oz, int deep, const int32_t* oy, const int32_t* ox,
                      const float* wz, const float* wy, const float* wx) {
  float sum[4] = {0, 0, 0, 0};
  const float* from = Straight ? image + ox[0] : image;
  for (int i = 0; i < deep; ++i)
    for (int j = 0; j < 4; ++j) add_row<Straight>(from + oz[i] + oy[j], ox, wz[i] * wy[j], sum);
  return (sum[0] * wx[0] + sum[1] * wx[1]) + (sum[2] * wx[2] + sum[3] * wx[3]);
}

inline float dot4(const float a[4], const float b[4]) { return (a[0] * b[0] + a[1] * b[1]) + (a[2] * b[2] + a[3] * b[3]); }

template <bool Straight>
inline void slopes_at(const float* image, const int32_t* oz, int deep, const int32_t* oy, const int32_t* ox,
                      const Taps& taps, int x, float slope[3]) {
  const float *wz = taps.weight[0][x], *wy = taps.weight[1][x], *wx = taps.weight[2][x];
  const float *sz = taps.slope[0][x], *sy = taps.slope[1][x], *sx = taps.slope[2][x];
  float plain[4] = {0, 0, 0, 0}, by_y[4] = {0, 0, 0, 0}, by_z[4] = {0, 0, 0, 0};
  const float* from = Straight ? image + ox[0] : image;
  for (int i = 0; i < deep; ++i) {
    float value[4] = {0, 0, 0, 0}, change[4] = {0, 0, 0, 0};
    for (int j = 0; j < 4; ++j) {
      add_row<Straight>(from + oz[i] + oy[j], ox, wy[j], value);
      add_row<Straight>(from + oz[i] + oy[j], ox, sy[j], change);
    }
    for (int k = 0; k < 4; ++k) {
      plain[k] += wz[i] * value[k];
      by_y[k] += wz[i] * change[k];
      by_z[k] += sz[i] * value[k];
    }
  }
  slope[0] = dot4(by_z, wx), slope[1] = dot4(by_y, wx), slope[2] = dot4(plain, sx);
}

// Everything that a block of voxels needs before its coefficients are read. A single slice has one tap along z.
struct Block {
  Places at;
  Taps taps;

  void fill(Grid size, const Reading& where, int64_t z, int64_t y, int64_t x0, int n, bool slopes) {
    places(where, z, y, x0, n, at);
    for (int a = 0; a < 3; ++a) taps_of(at.p[a], n, size.n[a], slopes, taps.low[a], taps.weight[a], taps.slope[a]);
    if (size.n[0] > 1) return;
    for (int x = 0; x < n; ++x) taps.weight[0][x][0] = 1.0f, taps.slope[0][x][0] = 0.0f;
  }
};

// Sums over each row are added in the order of the rows, so that the number of threads does not change a bit.
void matrix_from_rows(const std::vector<double>& sums, const Reading& where, double* to_matrix) {
  const int dim = where.dim;
  std::fill(to_matrix, to_matrix + dim * (dim + 1), 0.0);
  for (int64_t row = 0; row < where.shape[0] * where.shape[1]; ++row)
    for (int i = 0; i < dim; ++i) {
      const double sum = sums[(row * dim + i) * 2], moment = sums[(row * dim + i) * 2 + 1];
      double* into = to_matrix + i * (dim + 1);
      if (dim == 3) into[0] += sum * static_cast<double>(row / where.shape[1]);
      into[dim - 2] += sum * static_cast<double>(row % where.shape[1]);
      into[dim - 1] += moment;
      into[dim] += sum;
    }
}

}  // namespace

void cubic(const float* coefficients, Grid size, int channels, const Reading& where, int clamp, float outside,
           float* values, int threads) {
  const int64_t rows = where.shape[0] * where.shape[1], voxels = rows * where.shape[2];
  const int deep = size.n[0] > 1 ? 4 : 1;
  const Tables tables(size);
  const int32_t *tz = tables.offset[0].data() + (deep == 1), *ty = tables.offset[1].data(), *tx = tables.offset[2].data();
  const int32_t end = static_cast<int32_t>(size.n[2]) - 3;
  parallel(rows * blocks_per_row(where), useful_threads(voxels, threads), [&](int64_t first, int64_t last, int) {
    Block block;
    alignas(64) float mask[kReach];
    const Taps& taps = block.taps;
    each_block_of(where, first, last, [&](int64_t z, int64_t y, int64_t x0, int n, int64_t begin) {
      block.fill(size, where, z, y, x0, n, false);
      if (!clamp) mark_inside(block.at, size, n, mask);
      for (int c = 0; c < channels; ++c) {
        const float* from = coefficients + c * size.count();
        float* out = values + c * voxels + begin;
        for (int x = 0; x < n; ++x) {
          const int32_t *oz = tz + taps.low[0][x], *oy = ty + taps.low[1][x], *ox = tx + taps.low[2][x];
          const float *wz = taps.weight[0][x], *wy = taps.weight[1][x], *wx = taps.weight[2][x];
          const bool straight = (taps.low[2][x] >= 1) & (taps.low[2][x] <= end);
          out[x] = straight ? value_at<true>(from, oz, deep, oy, ox, wz, wy, wx)
                            : value_at<false>(from, oz, deep, oy, ox, wz, wy, wx);
        }
        if (!clamp)
          for (int x = 0; x < n; ++x) out[x] = mask[x] > 0 ? out[x] : outside;
      }
    });
  });
}

void cubic_backward(const float* coefficients, Grid size, int channels, const Reading& where, int clamp,
                    const float* gradient, float* to_displacement, double* to_matrix, int threads) {
  const int64_t rows = where.shape[0] * where.shape[1], voxels = rows * where.shape[2];
  const int deep = size.n[0] > 1 ? 4 : 1, dim = where.dim, skip = 3 - dim;
  const Tables tables(size);
  const int32_t *tz = tables.offset[0].data() + (deep == 1), *ty = tables.offset[1].data(), *tx = tables.offset[2].data();
  const int32_t end = static_cast<int32_t>(size.n[2]) - 3;
  std::vector<double> sums(to_matrix ? rows * dim * 2 : 0, 0.0);  // of each row: force, and force times x
  const int64_t per_row = blocks_per_row(where);
  parallel(rows, useful_threads(voxels, threads), [&](int64_t first, int64_t last, int) {
    Block block;
    alignas(64) float mask[kReach], force[3][kReach];
    const Taps& taps = block.taps;
    each_block_of(where, first * per_row, last * per_row, [&](int64_t z, int64_t y, int64_t x0, int n, int64_t begin) {
      block.fill(size, where, z, y, x0, n, true);
      for (int a = 0; a < 3; ++a) std::fill(force[a], force[a] + n, 0.0f);
      if (!clamp) mark_inside(block.at, size, n, mask);
      for (int c = 0; c < channels; ++c) {
        const float *from = coefficients + c * size.count(), *g = gradient + c * voxels + begin;
        for (int x = 0; x < n; ++x) {
          if (!clamp && !(mask[x] > 0)) continue;
          const int32_t *oz = tz + taps.low[0][x], *oy = ty + taps.low[1][x], *ox = tx + taps.low[2][x];
          float slope[3];
          if (taps.low[2][x] >= 1 && taps.low[2][x] <= end) slopes_at<true>(from, oz, deep, oy, ox, taps, x, slope);
          else slopes_at<false>(from, oz, deep, oy, ox, taps, x, slope);
          for (int a = 0; a < 3; ++a) force[a][x] += g[x] * slope[a];
        }
      }
      if (to_displacement)
        for (int j = 0; j < dim; ++j) {
          float* out = to_displacement + j * voxels + begin;
          std::fill(out, out + n, 0.0f);
          for (int i = 0; i < dim; ++i) {
            const float m = static_cast<float>(where.mix[i * dim + j]);
            for (int x = 0; x < n; ++x) out[x] += m * force[i + skip][x];
          }
        }
      for (int i = 0; to_matrix && i < dim; ++i) {
        double* into = sums.data() + ((z * where.shape[1] + y) * dim + i) * 2;
        for (int x = 0; x < n; ++x) {
          into[0] += force[i + skip][x];
          into[1] += static_cast<double>(force[i + skip][x]) * static_cast<double>(x0 + x);
        }
      }
    });
  });
  if (to_matrix) matrix_from_rows(sums, where, to_matrix);
}

}  // namespace PB_ISA
}  // namespace pb

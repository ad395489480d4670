// The determinant of I + mix du/dx at every voxel, in one sweep: central differences inside, one-sided at the border,
// none along an axis of one voxel.
#include <algorithm>

#include "parallel.h"
#include "pullback.h"

namespace pb {
namespace PB_ISA {
namespace {

constexpr int64_t kBlock = 256;

// The voxels before and after one along an axis, and what their difference is multiplied by.
struct Step {
  int64_t before, after;
  float by;
};

inline Step step(int64_t i, int64_t n) {
  const int64_t a = std::max<int64_t>(i - 1, 0), b = std::min<int64_t>(i + 1, n - 1);
  return {a, b, b - a == 2 ? 0.5f : 1.0f};
}

// The rows that the differences of one row are taken between, of every component.
struct Rows {
  const float *here[3], *above[3], *below[3], *behind[3], *ahead[3];
  float by_y, by_z;
};

inline float determinant2(const Rows& r, const float* m, int64_t a, int64_t b, float by_x, int64_t x) {
  float dx[2], dy[2];
  for (int i = 0; i < 2; ++i) {
    dx[i] = by_x * (r.here[i][b] - r.here[i][a]);
    dy[i] = r.by_y * (r.below[i][x] - r.above[i][x]);
  }
  const float y0 = m[0] * dy[0] + m[1] * dy[1] + 1.0f, y1 = m[2] * dy[0] + m[3] * dy[1];
  const float x0 = m[0] * dx[0] + m[1] * dx[1], x1 = m[2] * dx[0] + m[3] * dx[1] + 1.0f;
  return y0 * x1 - y1 * x0;
}

inline float determinant3(const Rows& r, const float* m, int64_t a, int64_t b, float by_x, int64_t x) {
  float dx[3], dy[3], dz[3];
  for (int i = 0; i < 3; ++i) {
    dx[i] = by_x * (r.here[i][b] - r.here[i][a]);
    dy[i] = r.by_y * (r.below[i][x] - r.above[i][x]);
    dz[i] = r.by_z * (r.ahead[i][x] - r.behind[i][x]);
  }
  float ex[3], ey[3], ez[3];
  for (int i = 0; i < 3; ++i) {
    ex[i] = m[3 * i] * dx[0] + m[3 * i + 1] * dx[1] + m[3 * i + 2] * dx[2];
    ey[i] = m[3 * i] * dy[0] + m[3 * i + 1] * dy[1] + m[3 * i + 2] * dy[2];
    ez[i] = m[3 * i] * dz[0] + m[3 * i + 1] * dz[1] + m[3 * i + 2] * dz[2];
  }
  ez[0] += 1.0f, ey[1] += 1.0f, ex[2] += 1.0f;
  return ez[0] * (ey[1] * ex[2] - ey[2] * ex[1]) + ez[1] * (ey[2] * ex[0] - ey[0] * ex[2]) +
         ez[2] * (ey[0] * ex[1] - ey[1] * ex[0]);
}

template <class Determinant>
void along_row(const Rows& rows, const float* mix, int64_t n, const Determinant& determinant, float* out) {
  const Rows r = rows;
  const auto border = [&](int64_t x) {
    const Step s = step(x, n);
    out[x] = determinant(r, mix, s.before, s.after, s.by, x);
  };
  border(0);
  alignas(64) float block[kBlock];  // memory of its own: the compiler need not fear that it writes what it reads
  for (int64_t x0 = 1; x0 < n - 1; x0 += kBlock) {
    const int64_t count = std::min(kBlock, n - 1 - x0);
    for (int64_t i = 0; i < count; ++i) block[i] = determinant(r, mix, x0 + i - 1, x0 + i + 1, 0.5f, x0 + i);
    std::copy(block, block + count, out + x0);
  }
  if (n > 1) border(n - 1);
}

}  // namespace

void jacobian(const float* displacement, Grid size, int dim, const double* mix, float* determinant, int threads) {
  const int64_t ny = size.n[1], nx = size.n[2], volume = size.count();
  float m[9];
  for (int i = 0; i < dim * dim; ++i) m[i] = static_cast<float>(mix[i]);
  parallel(size.n[0] * ny, useful_threads(volume, threads), [&](int64_t first, int64_t last, int) {
    for (int64_t row = first; row < last; ++row) {
      const int64_t z = row / ny, y = row % ny;
      const Step sy = step(y, ny), sz = step(z, size.n[0]);
      Rows rows;
      rows.by_y = sy.by, rows.by_z = sz.by;
      for (int i = 0; i < dim; ++i) {
        const float* u = displacement + i * volume;
        rows.here[i] = u + (z * ny + y) * nx;
        rows.above[i] = u + (z * ny + sy.before) * nx, rows.below[i] = u + (z * ny + sy.after) * nx;
        rows.behind[i] = u + (sz.before * ny + y) * nx, rows.ahead[i] = u + (sz.after * ny + y) * nx;
      }
      float* out = determinant + row * nx;
      dim == 2 ? along_row(rows, m, nx, determinant2, out) : along_row(rows, m, nx, determinant3, out);
    }
  });
}

}  // namespace PB_ISA
}  // namespace pb

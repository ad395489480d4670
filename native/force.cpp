// How a similarity pulls at each voxel: its gradient with respect to the warped image, times the slope of that image.
#include <algorithm>
#include <vector>

#include "parallel.h"
#include "pullback.h"

namespace pb {
namespace PB_ISA {
namespace {

// Half the difference of the neighbours along x, the edge repeated.
inline void slope_x(const float* row, int64_t n, float* out) {
  for (int64_t x = 1; x + 1 < n; ++x) out[x] = 0.5f * (row[x + 1] - row[x - 1]);
  out[0] = n > 1 ? 0.5f * (row[1] - row[0]) : 0.0f;
  if (n > 1) out[n - 1] = 0.5f * (row[n - 1] - row[n - 2]);
}

}  // namespace

void force(const float* warped, const float* gradient, Grid size, int channels, int dim, const double* mix, float* field,
           int threads) {
  const int64_t nz = size.n[0], ny = size.n[1], nx = size.n[2], count = size.count();
  float m[3][3] = {};  // rows: slope along z, y, x; columns: component of the force
  for (int a = 0; a < dim; ++a)
    for (int i = 0; i < dim; ++i) m[3 - dim + a][i] = static_cast<float>(mix[a * dim + i]);
  parallel(nz * ny, useful_threads(count, threads), [&](int64_t first, int64_t last, int) {
    std::vector<float> along(nx);
    for (int64_t k = first; k < last; ++k) {
      const int64_t z = k / ny, y = k % ny, at = k * nx;
      const int64_t below = std::max<int64_t>(z - 1, 0) - z, above = std::min(z + 1, nz - 1) - z;
      const int64_t before = std::max<int64_t>(y - 1, 0) - y, after = std::min(y + 1, ny - 1) - y;
      for (int c = 0; c < channels; ++c) {
        const float *w = warped + c * count + at, *g = gradient + c * count + at;
        const float *z0 = w + below * ny * nx, *z1 = w + above * ny * nx, *y0 = w + before * nx, *y1 = w + after * nx;
        slope_x(w, nx, along.data());
        for (int i = 0; i < dim; ++i) {
          const float mz = 0.5f * m[0][i], my = 0.5f * m[1][i], mx = m[2][i];
          float* out = field + i * count + at;
          if (c == 0)
            for (int64_t x = 0; x < nx; ++x)
              out[x] = g[x] * (mz * (z1[x] - z0[x]) + my * (y1[x] - y0[x]) + mx * along[x]);
          else
            for (int64_t x = 0; x < nx; ++x)
              out[x] += g[x] * (mz * (z1[x] - z0[x]) + my * (y1[x] - y0[x]) + mx * along[x]);
        }
      }
    }
  });
}

}  // namespace PB_ISA
}  // namespace pb

// Cubic B-splines of a control grid at every voxel, and the exact transpose of that.
//
// The weights of up to four control points along each axis come in tables. Forward, rows of control points are first
// drawn out along x (little work: the control grid is coarse); then each slice adds up its planes of such rows, and each
// row of voxels its rows of that plane: the dense field is written once and nothing of its size is read. The transpose
// goes the other way: rows of voxels into the rows of each slice's plane, planes into control planes, x last. Every
// number is added up in one order by one thread, so that the number of threads changes no bit.
#include <algorithm>
#include <vector>

#include "parallel.h"
#include "pullback.h"

namespace pb {
namespace PB_ISA {
namespace {

// out[x] = sum_t weights[t] rows[t * step + x]
void weigh(const float* rows, int64_t step, const float* weights, int taps, int64_t n, float* out) {
  if (taps == 4) {
    const float *a = rows, *b = a + step, *c = b + step, *d = c + step;
    const float wa = weights[0], wb = weights[1], wc = weights[2], wd = weights[3];
    for (int64_t x = 0; x < n; ++x) out[x] = (wa * a[x] + wb * b[x]) + (wc * c[x] + wd * d[x]);
    return;
  }
  for (int64_t x = 0; x < n; ++x) out[x] = weights[0] * rows[x];
  for (int t = 1; t < taps; ++t)
    for (int64_t x = 0; x < n; ++x) out[x] += weights[t] * rows[t * step + x];
}

// rows[t * step + x] += weights[t] in[x]
void spread(const float* in, const float* weights, int taps, int64_t n, float* rows, int64_t step) {
  if (taps == 4) {
    float *a = rows, *b = a + step, *c = b + step, *d = c + step;
    const float wa = weights[0], wb = weights[1], wc = weights[2], wd = weights[3];
    for (int64_t x = 0; x < n; ++x) {
      const float v = in[x];
      a[x] += wa * v; b[x] += wb * v; c[x] += wc * v; d[x] += wd * v;
    }
    return;
  }
  for (int t = 0; t < taps; ++t)
    for (int64_t x = 0; x < n; ++x) rows[t * step + x] += weights[t] * in[x];
}

}  // namespace

void ffd(const float* coefficients, Grid control, int channels, const Splines& splines, float* dense, Grid size,
         int threads) {
  const int64_t nx = size.n[2], my = control.n[1], lines = control.n[0] * my, plane = my * nx;
  const int *first = splines.first[2], taps = splines.taps[2];
  std::vector<float> drawn(channels * lines * nx);
  threads = useful_threads(size.count() * channels, threads);
  parallel(channels * lines, threads, [&](int64_t begin, int64_t end, int) {
    for (int64_t line = begin; line < end; ++line) {
      const float* row = coefficients + line * control.n[2];
      float* out = drawn.data() + line * nx;
      for (int64_t x = 0; x < nx; ++x) {
        const float* weights = splines.weights[2] + x * taps;
        float sum = weights[0] * row[first[x]];
        for (int t = 1; t < taps; ++t) sum += weights[t] * row[first[x] + t];
        out[x] = sum;
      }
    }
  });
  parallel(channels * size.n[0], threads, [&](int64_t begin, int64_t end, int) {
    std::vector<float> flat(plane);
    for (int64_t slice = begin; slice < end; ++slice) {
      const int64_t c = slice / size.n[0], z = slice % size.n[0];
      const float* planes = drawn.data() + (c * control.n[0] + splines.first[0][z]) * plane;
      weigh(planes, plane, splines.weights[0] + z * splines.taps[0], splines.taps[0], plane, flat.data());
      for (int64_t y = 0; y < size.n[1]; ++y)
        weigh(flat.data() + splines.first[1][y] * nx, nx, splines.weights[1] + y * splines.taps[1], splines.taps[1], nx,
              dense + (slice * size.n[1] + y) * nx);
    }
  });
}

void ffd_backward(float* coefficients, Grid control, int channels, const Splines& splines, const float* dense,
                  Grid size, int threads) {
  const int64_t nz = size.n[0], nx = size.n[2], my = control.n[1], plane = my * nx;
  const int *first = splines.first[2], taps = splines.taps[2];
  std::vector<float> flat(channels * nz * plane, 0.0f);
  threads = useful_threads(size.count() * channels, threads);
  parallel(channels * nz, threads, [&](int64_t begin, int64_t end, int) {
    for (int64_t slice = begin; slice < end; ++slice)
      for (int64_t y = 0; y < size.n[1]; ++y)
        spread(dense + (slice * size.n[1] + y) * nx, splines.weights[1] + y * splines.taps[1], splines.taps[1], nx,
               flat.data() + slice * plane + splines.first[1][y] * nx, nx);
  });
  parallel(channels * control.n[0], threads, [&](int64_t begin, int64_t end, int) {
    std::vector<float> sum(plane);
    for (int64_t k = begin; k < end; ++k) {
      const int64_t c = k / control.n[0], node = k % control.n[0];
      std::fill(sum.begin(), sum.end(), 0.0f);
      for (int64_t z = 0; z < nz; ++z) {
        const int64_t t = node - splines.first[0][z];
        if (t >= 0 && t < splines.taps[0])
          spread(flat.data() + (c * nz + z) * plane, splines.weights[0] + z * splines.taps[0] + t, 1, plane, sum.data(),
                 0);
      }
      for (int64_t y = 0; y < my; ++y) {
        float* out = coefficients + (k * my + y) * control.n[2];
        std::fill(out, out + control.n[2], 0.0f);
        for (int64_t x = 0; x < nx; ++x) {
          const float *weights = splines.weights[2] + x * taps, value = sum[y * nx + x];
          for (int t = 0; t < taps; ++t) out[first[x] + t] += weights[t] * value;
        }
      }
    }
  });
}

}  // namespace PB_ISA
}  // namespace pb

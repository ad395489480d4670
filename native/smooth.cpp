// Separable Gaussian (any symmetric odd kernel), the edge repeated: one sweep over memory. Within a band of rows, each
// slice is smoothed along y and x into a ring of slices, from which the sum along z is written; the ring stays in the
// cache.
#include <algorithm>
#include <vector>

#include "parallel.h"
#include "pullback.h"
#include "simd.h"

namespace pb {
namespace PB_ISA {
namespace {

constexpr int64_t kRingFloats = 96 * 1024;  // what a ring may hold: it shares the second-level cache with the image

int64_t clamped(int64_t i, int64_t n) { return std::min(std::max<int64_t>(i, 0), n - 1); }

template <int Vectors>
inline void weigh_block(const float* const* rows, const float* taps, int radius, int64_t x, float* out) {
  Lanes sum[Vectors];
  for (int v = 0; v < Vectors; ++v) sum[v] = taps[0] * load(rows[radius] + x + v * kLanes);
  for (int k = 1; k <= radius; ++k) {
    const float *a = rows[radius - k] + x, *b = rows[radius + k] + x;
    for (int v = 0; v < Vectors; ++v) sum[v] += taps[k] * (load(a + v * kLanes) + load(b + v * kLanes));
  }
  for (int v = 0; v < Vectors; ++v) store(out + x + v * kLanes, sum[v]);
}

// out[x] = sum_k taps[|k|] rows[k][x], with rows from `radius` before to `radius` after.
void weigh(const float* const* rows, const float* taps, int radius, int64_t n, float* out) {
  int64_t x = 0;
  for (; x + 4 * kLanes <= n; x += 4 * kLanes) weigh_block<4>(rows, taps, radius, x, out);
  for (; x + kLanes <= n; x += kLanes) weigh_block<1>(rows, taps, radius, x, out);
  for (; x < n; ++x) {
    float sum = taps[0] * rows[radius][x];
    for (int k = 1; k <= radius; ++k) sum += taps[k] * (rows[radius - k][x] + rows[radius + k][x]);
    out[x] = sum;
  }
}

struct Kernel {
  const float* taps[3];
  int radius[3];
};

class Band {
 public:
  Band(const float* image, Grid size, const Kernel& kernel, int64_t y0, int64_t y1)
      : image_(image), size_(size), kernel_(kernel), y0_(y0), y1_(y1), nx_(size.n[2]), slots_(2 * kernel.radius[0] + 1),
        ring_(slots_ * (y1 - y0) * nx_), padded_(nx_ + 2 * kernel.radius[2]),
        rows_(2 * *std::max_element(kernel.radius, kernel.radius + 3) + 1) {}

  void run(float* result) {
    const int64_t nz = size_.n[0], plane = size_.n[1] * nx_;
    const int rz = kernel_.radius[0];
    for (int64_t next = 0, z = 0; z < nz; ++z) {
      for (; next <= std::min(z + rz, nz - 1); ++next) slice(next);
      for (int k = -rz; k <= rz; ++k) rows_[k + rz] = slot(clamped(z + k, nz));
      weigh(rows_.data(), kernel_.taps[0], rz, (y1_ - y0_) * nx_, result + z * plane + y0_ * nx_);
    }
  }

 private:
  float* slot(int64_t z) { return ring_.data() + (z % slots_) * (y1_ - y0_) * nx_; }

  // The band's rows of one slice, smoothed along y and x.
  void slice(int64_t z) {
    const float* from = image_ + z * size_.n[1] * nx_;
    const int ry = kernel_.radius[1], rx = kernel_.radius[2];
    for (int64_t y = y0_; y < y1_; ++y) {
      float *out = slot(z) + (y - y0_) * nx_, *row = padded_.data() + rx;
      for (int k = -ry; k <= ry; ++k) rows_[k + ry] = from + clamped(y + k, size_.n[1]) * nx_;
      weigh(rows_.data(), kernel_.taps[1], ry, nx_, rx > 0 ? row : out);
      if (rx == 0) continue;
      std::fill(padded_.data(), row, row[0]);
      std::fill(row + nx_, row + nx_ + rx, row[nx_ - 1]);
      for (int k = 0; k <= 2 * rx; ++k) rows_[k] = padded_.data() + k;
      weigh(rows_.data(), kernel_.taps[2], rx, nx_, out);
    }
  }

  const float* image_;
  Grid size_;
  const Kernel& kernel_;
  int64_t y0_, y1_, nx_, slots_;
  std::vector<float> ring_, padded_;
  std::vector<const float*> rows_;
};

}  // namespace

void smooth(const float* image, Grid size, const float* const taps[3], const int radius[3], float* result, int threads) {
  const Kernel kernel{{taps[0], taps[1], taps[2]}, {radius[0], radius[1], radius[2]}};
  const int64_t ny = size.n[1], row = (2 * radius[0] + 1) * size.n[2];
  threads = useful_threads(size.count(), threads);
  const int64_t height = std::min(std::max<int64_t>(kRingFloats / row, 8), std::max<int64_t>(ny / threads, 1));
  const int64_t bands = (ny + height - 1) / height;
  parallel(bands, threads, [&](int64_t first, int64_t last, int) {
    for (int64_t k = first; k < last; ++k) Band(image, size, kernel, ny * k / bands, ny * (k + 1) / bands).run(result);
  });
}

}  // namespace PB_ISA
}  // namespace pb

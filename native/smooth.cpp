// Separable Gaussian (any symmetric odd kernel), the edge repeated: one sweep over memory. Within a band of rows, each
// slice is smoothed along y and x into a ring of slices, from which the sum along z is written; the ring stays in the
// cache.
#include <algorithm>
#include <array>
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

constexpr int kRows = 4;  // rows (or slices) that are made together: each row that is read serves them all

template <int Vectors>
inline void weigh_four_block(const float* const* rows, const float* taps, int count, int64_t x, int made, float* const* out) {
  Lanes sum[kRows][Vectors] = {};
  for (int k = 0; k < count; ++k)
    for (int v = 0; v < Vectors; ++v) {
      const Lanes value = load(rows[k] + x + v * kLanes);
      for (int r = 0; r < kRows; ++r) sum[r][v] += taps[k - r] * value;
    }
  for (int r = 0; r < made; ++r)
    for (int v = 0; v < Vectors; ++v) store(out[r] + x + v * kLanes, sum[r][v]);
}

// out[r][x] = sum_k taps[k] rows[r + k][x] for r < made, from `count` rows; taps are 0 just before and after the kernel.
void weigh_four(const float* const* rows, const float* taps, int count, int64_t n, int made, float* const* out) {
  int64_t x = 0;
  for (; x + 2 * kLanes <= n; x += 2 * kLanes) weigh_four_block<2>(rows, taps, count, x, made, out);
  for (; x + kLanes <= n; x += kLanes) weigh_four_block<1>(rows, taps, count, x, made, out);
  for (; x < n; ++x)
    for (int r = 0; r < made; ++r) {
      float sum = 0;
      for (int k = 0; k < count; ++k) sum += taps[k - r] * rows[k][x];
      out[r][x] = sum;
    }
}

// One axis of the kernel: its half from the middle outwards, and the whole with zeros around it.
struct Axis {
  Axis(const float* half, int radius) : half(half), radius(radius), padded(2 * radius + 1 + 2 * kRows, 0.0f) {
    for (int k = -radius; k <= radius; ++k) padded[k + radius + kRows] = half[k < 0 ? -k : k];
  }

  const float* whole() const { return padded.data() + kRows; }
  int reads() const { return 2 * radius + kRows; }  // rows that are read for kRows results

  const float* half;
  int radius;
  std::vector<float> padded;
};

using Kernel = std::array<Axis, 3>;

class Band {
 public:
  Band(const float* image, Grid size, const Kernel& kernel, int64_t y0, int64_t y1)
      : image_(image), size_(size), kernel_(kernel), y0_(y0), y1_(y1), nx_(size.n[2]), slots_(kernel[0].reads()),
        pitch_(nx_ + 2 * kernel[2].radius), ring_(slots_ * (y1 - y0) * nx_), padded_(kRows * pitch_),
        rows_(std::max({kernel[0].reads(), kernel[1].reads(), kernel[2].reads()})) {}

  void run(float* result) {
    const int64_t nz = size_.n[0], plane = size_.n[1] * nx_;
    const Axis& axis = kernel_[0];
    for (int64_t next = 0, z = 0; z < nz; z += kRows) {
      for (; next < std::min(z + kRows + axis.radius, nz); ++next) slice(next);
      for (int k = 0; k < axis.reads(); ++k) rows_[k] = slot(clamped(z - axis.radius + k, nz));
      float* out[kRows];
      for (int r = 0; r < kRows; ++r) out[r] = result + (z + r) * plane + y0_ * nx_;
      weigh_four(rows_.data(), axis.whole(), axis.reads(), (y1_ - y0_) * nx_, made(z, nz), out);
    }
  }

 private:
  static int made(int64_t first, int64_t end) { return static_cast<int>(std::min<int64_t>(kRows, end - first)); }

  float* slot(int64_t z) { return ring_.data() + (z % slots_) * (y1_ - y0_) * nx_; }

  // The band's rows of one slice, smoothed along y and x.
  void slice(int64_t z) {
    const float* from = image_ + z * size_.n[1] * nx_;
    const Axis& axis = kernel_[1];
    const int rx = kernel_[2].radius;
    for (int64_t y = y0_; y < y1_; y += kRows) {
      for (int k = 0; k < axis.reads(); ++k) rows_[k] = from + clamped(y - axis.radius + k, size_.n[1]) * nx_;
      const float* next = rows_[axis.reads() - 1] + nx_;  // too many rows are read at once for the processor to foresee
      for (int64_t x = 0; x < kRows * nx_; x += 16) __builtin_prefetch(next + x);
      float *into = slot(z) + (y - y0_) * nx_, *out[kRows];
      for (int r = 0; r < kRows; ++r) out[r] = rx > 0 ? padded_.data() + r * pitch_ + rx : into + r * nx_;
      weigh_four(rows_.data(), axis.whole(), axis.reads(), nx_, made(y, y1_), out);
      for (int r = 0; r < made(y, y1_) && rx > 0; ++r) along_x(padded_.data() + r * pitch_, into + r * nx_);
    }
  }

  void along_x(float* padded, float* out) {
    const int rx = kernel_[2].radius;
    float* row = padded + rx;
    std::fill(padded, row, row[0]);
    std::fill(row + nx_, row + nx_ + rx, row[nx_ - 1]);
    for (int k = 0; k <= 2 * rx; ++k) rows_[k] = padded + k;
    weigh(rows_.data(), kernel_[2].half, rx, nx_, out);
  }

  const float* image_;
  Grid size_;
  const Kernel& kernel_;
  int64_t y0_, y1_, nx_, slots_, pitch_;
  std::vector<float> ring_, padded_;
  std::vector<const float*> rows_;
};

}  // namespace

void smooth(const float* image, Grid size, const float* const taps[3], const int radius[3], float* result, int threads) {
  const Kernel kernel{Axis(taps[0], radius[0]), Axis(taps[1], radius[1]), Axis(taps[2], radius[2])};
  const int64_t ny = size.n[1], row = kernel[0].reads() * size.n[2];
  threads = useful_threads(size.count(), threads);
  const int64_t height = std::min(std::max<int64_t>(kRingFloats / row, 8), std::max<int64_t>(ny / threads, 1));
  const int64_t bands = (ny + height - 1) / height;
  parallel(bands, threads, [&](int64_t first, int64_t last, int) {
    for (int64_t k = first; k < last; ++k) Band(image, size, kernel, ny * k / bands, ny * (k + 1) / bands).run(result);
  });
}

}  // namespace PB_ISA
}  // namespace pb

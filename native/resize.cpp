// A banded matrix along each axis: smoothing and reading on a coarser or finer grid, both at once. Slice by slice along
// y and x, then along z over what is left.
#include <vector>

#include "parallel.h"
#include "pullback.h"

namespace pb {
namespace PB_ISA {
namespace {

// out[x] = sum_k weights[k] rows[k * pitch + x]; four rows at a time: fewer passes over `out`.
void weigh_rows(const float* rows, int64_t pitch, const float* weights, int width, int64_t n, float* out) {
  for (int64_t x = 0; x < n; ++x) out[x] = weights[0] * rows[x];
  int k = 1;
  for (; k + 3 < width; k += 4) {
    const float *a = rows + k * pitch, *b = a + pitch, *c = b + pitch, *d = c + pitch;
    const float wa = weights[k], wb = weights[k + 1], wc = weights[k + 2], wd = weights[k + 3];
    for (int64_t x = 0; x < n; ++x) out[x] += (wa * a[x] + wb * b[x]) + (wc * c[x] + wd * d[x]);
  }
  for (; k < width; ++k) {
    const float* a = rows + k * pitch;
    const float w = weights[k];
    for (int64_t x = 0; x < n; ++x) out[x] += w * a[x];
  }
}

// The band along x, stored weight by weight, so that neighbouring outputs are worked on together.
struct Across {
  explicit Across(const Band& band, int64_t n) : weights(band.width * n), n(n) {
    for (int64_t i = 0; i < n; ++i)
      for (int k = 0; k < band.width; ++k) weights[k * n + i] = band.weights[i * band.width + k];
  }
  std::vector<float> weights;
  int64_t n;
};

void weigh_across(const float* row, const Band& band, const Across& across, float* out) {
  const int64_t n = across.n;
  const int32_t* first = band.first;
  for (int64_t x = 0; x < n; ++x) out[x] = across.weights[x] * row[first[x]];
  for (int k = 1; k < band.width; ++k) {
    const float* w = across.weights.data() + k * n;
    for (int64_t x = 0; x < n; ++x) out[x] += w[x] * row[first[x] + k];
  }
}

}  // namespace

void resize(const float* image, Grid size, const Band bands[3], Grid shape, float* result, int threads) {
  const int64_t nx = size.n[2], plane = size.n[1] * nx, my = shape.n[1], mx = shape.n[2], cut = my * mx;
  const Across across(bands[2], mx);
  std::vector<float> slices(bands[0].width == 1 && size.n[0] == shape.n[0] ? 0 : size.n[0] * cut);
  float* flat = slices.empty() ? result : slices.data();
  threads = useful_threads(std::max(size.count(), shape.count()), threads);
  parallel(size.n[0] * my, threads, [&](int64_t first, int64_t last, int) {
    std::vector<float> row(nx);
    for (int64_t r = first; r < last; ++r) {
      const int64_t z = r / my, y = r % my;
      const float* from = image + z * plane + bands[1].first[y] * nx;
      weigh_rows(from, nx, bands[1].weights + y * bands[1].width, bands[1].width, nx, row.data());
      weigh_across(row.data(), bands[2], across, flat + r * mx);
    }
  });
  if (slices.empty()) return;
  parallel(shape.n[0] * my, threads, [&](int64_t first, int64_t last, int) {
    for (int64_t r = first; r < last; ++r) {
      const int64_t z = r / my, y = r % my;
      const float* from = flat + bands[0].first[z] * cut + y * mx;
      weigh_rows(from, cut, bands[0].weights + z * bands[0].width, bands[0].width, mx, result + r * mx);
    }
  });
}

}  // namespace PB_ISA
}  // namespace pb

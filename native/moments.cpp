// Weighted sums of two images and of their products, in one pass; and their weighted mixture, which is the gradient of
// whatever depends on those sums alone (mean squared difference, correlation).
#include <algorithm>
#include <vector>

#include "parallel.h"
#include "pullback.h"
#include "simd.h"

namespace pb {
namespace PB_ISA {
namespace {

constexpr int64_t kShare = 1 << 16;  // voxels summed together: shares have a set size, whatever the threads
constexpr int64_t kRun = 1 << 10;    // voxels summed in single precision before they are added to the rest

void sum_run(const float* fixed, const float* warped, const float* weight, int64_t n, float level, double sums[6]) {
  Lanes total[6] = {};
  for (int64_t v = 0; v < n; v += kLanes) {
    const Lanes in = choose(ramp() < static_cast<float>(n - v), all(1.0f), Lanes{});
    const Lanes w = weight ? load_some(weight + v, n - v) : in;
    const Lanes f = load_some(fixed + v, n - v), i = (f - level) * in, d = load_some(warped + v, n - v) - f;
    const Lanes wi = w * i, wd = w * d;
    total[0] += w, total[1] += wi, total[2] += wd, total[3] += wi * i, total[4] += wd * d, total[5] += wi * d;
  }
  for (int k = 0; k < 6; ++k) sums[k] += sum(total[k]);
}

}  // namespace

// sums = of w, w i, w d, w i i, w d d, w i d, with i = fixed - level and d = warped - fixed: of images that are nearly the
// same, the difference keeps its digits.
void moments(const float* fixed, const float* warped, const float* weight, int64_t count, float level, double* sums,
             int threads) {
  const int64_t shares = (count + kShare - 1) / kShare;
  std::vector<double> parts(shares * 6, 0.0);
  parallel(shares, useful_threads(count, threads), [&](int64_t first, int64_t last, int) {
    for (int64_t s = first; s < last; ++s)
      for (int64_t v = s * kShare; v < std::min(count, (s + 1) * kShare); v += kRun)
        sum_run(fixed + v, warped + v, weight ? weight + v : nullptr, std::min(kRun, count - v), level, parts.data() + 6 * s);
  });
  std::fill(sums, sums + 6, 0.0);
  for (int64_t s = 0; s < shares; ++s)
    for (int k = 0; k < 6; ++k) sums[k] += parts[6 * s + k];
}

// mixture = w (of_fixed fixed + of_warped warped + constant)
void mixture(const float* fixed, const float* warped, const float* weight, int64_t count, float of_fixed, float of_warped,
             float constant, float* result, int threads) {
  const int64_t blocks = (count + kLanes - 1) / kLanes;
  parallel(blocks, useful_threads(count, threads), [&](int64_t first, int64_t last, int) {
    for (int64_t v = first * kLanes; v < std::min(count, last * kLanes); v += kLanes) {
      const int64_t n = count - v;
      Lanes mixed = of_fixed * load_some(fixed + v, n) + of_warped * load_some(warped + v, n) + constant;
      if (weight) mixed *= load_some(weight + v, n);
      store_some(result + v, mixed, n);
    }
  });
}

}  // namespace PB_ISA
}  // namespace pb

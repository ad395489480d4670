// The joint histogram of two images with values in [0, 1], and the gradient of anything that depends on it. The fixed
// value falls into one bin, the warped value is spread over four by a cubic B-spline.
#include <algorithm>
#include <vector>

#include "parallel.h"
#include "pullback.h"

namespace pb {
namespace PB_ISA {
namespace {

constexpr int64_t kShare = 1 << 16;  // voxels counted in one table: shares have a set size, whatever the threads

struct Place {
  int row, base;
  float t;
};

// What is not a number counts as 0: a comparison with it is false, and its bin would lie outside the table.
inline float clamped(float value) { return value > 0.0f ? std::min(value, 1.0f) : 0.0f; }

inline Place place(float fixed, float warped, int bins) {
  const float f = clamped(fixed), m = clamped(warped);
  const float position = m * static_cast<float>(bins - 3) + 1.0f;
  const int base = std::min(static_cast<int>(position), bins - 3);
  return {static_cast<int>(f * static_cast<float>(bins - 1) + 0.5f), base, position - static_cast<float>(base)};
}

}  // namespace

void histogram(const float* fixed, const float* warped, const float* weight, int64_t count, int bins, double* joint,
               int threads) {
  const int64_t shares = (count + kShare - 1) / kShare, cells = static_cast<int64_t>(bins) * bins;
  std::vector<double> tables(shares * cells, 0.0);  // single precision loses a voxel on a count of millions
  parallel(shares, useful_threads(count, threads), [&](int64_t first, int64_t last, int) {
    for (int64_t s = first; s < last; ++s) {
      double* table = tables.data() + s * cells;
      for (int64_t v = s * kShare; v < std::min(count, (s + 1) * kShare); ++v) {
        const float w = weight ? weight[v] : 1.0f;
        const Place at = place(fixed[v], warped[v], bins);
        const float t = at.t, u = 1.0f - t, t2 = t * t, t3 = t2 * t, sixth = w * (1.0f / 6.0f);
        double* cell = table + at.row * bins + at.base - 1;
        cell[0] += sixth * u * u * u;
        cell[1] += sixth * (4.0f - 6.0f * t2 + 3.0f * t3);
        cell[2] += sixth * (1.0f + 3.0f * t + 3.0f * t2 - 3.0f * t3);
        cell[3] += sixth * t3;
      }
    }
  });
  std::fill(joint, joint + cells, 0.0);
  for (int64_t s = 0; s < shares; ++s)
    for (int64_t k = 0; k < cells; ++k) joint[k] += tables[s * cells + k];
}

// to_warped = sum_k gradient[row, base + k] d weight_k / d warped, times the voxel's weight over the total weight.
void histogram_backward(const float* fixed, const float* warped, const float* weight, int64_t count, int bins,
                        const float* gradient, double total, float* to_warped, int threads) {
  const float scale = static_cast<float>((bins - 3) / total);
  parallel(count, useful_threads(count, threads), [&](int64_t first, int64_t last, int) {
    for (int64_t v = first; v < last; ++v) {
      const Place at = place(fixed[v], warped[v], bins);
      const float t = at.t, u = 1.0f - t;
      const float* g = gradient + at.row * bins + at.base - 1;
      const float slope = 0.5f * (-u * u * g[0] + (3.0f * t * t - 4.0f * t) * g[1] + (1.0f + 2.0f * t - 3.0f * t * t) * g[2] + t * t * g[3]);
      const bool in = warped[v] >= 0.0f && warped[v] <= 1.0f;
      to_warped[v] = in ? slope * scale * (weight ? weight[v] : 1.0f) : 0.0f;
    }
  });
}

}  // namespace PB_ISA
}  // namespace pb

// The joint histogram of two images with values in [0, 1], and the gradient of anything that depends on it. The fixed
// value falls into one bin, the warped value is spread over four by a cubic B-spline.
#include <algorithm>
#include <vector>

#include "parallel.h"
#include "pullback.h"
#include "simd.h"

namespace pb {
namespace PB_ISA {
namespace {

constexpr int64_t kShare = 1 << 16;  // voxels counted in one table: shares have a set size, whatever the threads

typedef float Four __attribute__((vector_size(16)));
typedef double FourDoubles __attribute__((vector_size(32)));

// The four weights of a cubic B-spline at t, as polynomials: ((kCubic t + kSquare) t + kLinear) t + kConstant.
constexpr float kSixth = 1.0f / 6.0f;
constexpr Four kConstant = {kSixth, 4 * kSixth, kSixth, 0}, kLinear = {-0.5f, 0, 0.5f, 0}, kSquare = {0.5f, -1, 0.5f, 0},
               kCubic = {-kSixth, 0.5f, -0.5f, kSixth};

// Sixteen voxels: the cell that holds the first of the four warped bins which each touches, and how far it is past it.
struct Places {
  alignas(64) int32_t cell[kLanes];
  alignas(64) float t[kLanes];
};

// What is not a number counts as 0, as in `clamp`: its bin would lie outside the table.
inline Places places(const float* fixed, const float* warped, int64_t n, int bins) {
  const Lanes zero = {}, one = all(1.0f);
  const Lanes f = clamp(load_some(fixed, n), zero, one), m = clamp(load_some(warped, n), zero, one);
  const Lanes position = m * static_cast<float>(bins - 3) + 1.0f;
  const Whole above = truncate(position), last = all(static_cast<int32_t>(bins - 3));
  const Whole base = above < last ? above : last;
  const Whole row = truncate(f * static_cast<float>(bins - 1) + 0.5f);
  Places found;
  store_whole(found.cell, row * static_cast<int32_t>(bins) + base - 1);
  store(found.t, position - number(base));
  return found;
}

// Counts one share of the voxels. Each cell keeps the sums of its four bins apart, so that one vector is read, added to
// and written for each voxel; in double precision, since single loses digits on a count of thousands.
void count_share(const float* fixed, const float* warped, const float* weight, int64_t n, int bins, double* joint) {
  const int64_t cells = static_cast<int64_t>(bins) * bins;
  std::vector<FourDoubles> table(cells, FourDoubles{});
  alignas(64) float w[kLanes];
  for (int64_t v = 0; v < n; v += kLanes) {
    const Places at = places(fixed + v, warped + v, n - v, bins);
    const int many = static_cast<int>(std::min<int64_t>(kLanes, n - v));
    store(w, weight ? load_some(weight + v, n - v) : all(1.0f));
    for (int k = 0; k < many; ++k) {
      const float t = at.t[k];
      const Four weights = (((kCubic * t + kSquare) * t + kLinear) * t + kConstant) * w[k];
      table[at.cell[k]] += __builtin_convertvector(weights, FourDoubles);
    }
  }
  std::fill(joint, joint + cells, 0.0);
  for (int64_t c = 0; c < cells; ++c)
    for (int k = 0; k < 4 && c + k < cells; ++k) joint[c + k] += table[c][k];
}

}  // namespace

void histogram(const float* fixed, const float* warped, const float* weight, int64_t count, int bins, double* joint,
               int threads) {
  const int64_t shares = (count + kShare - 1) / kShare, cells = static_cast<int64_t>(bins) * bins;
  std::vector<double> tables(shares * cells, 0.0);  // single precision loses a voxel on a count of millions
  parallel(shares, useful_threads(count, threads), [&](int64_t first, int64_t last, int) {
    for (int64_t s = first; s < last; ++s) {
      const int64_t v = s * kShare, n = std::min(kShare, count - v);
      count_share(fixed + v, warped + v, weight ? weight + v : nullptr, n, bins, tables.data() + s * cells);
    }
  });
  std::fill(joint, joint + cells, 0.0);
  for (int64_t s = 0; s < shares; ++s)
    for (int64_t k = 0; k < cells; ++k) joint[k] += tables[s * cells + k];
}

// to_warped = sum_k gradient[cell + k] d weight_k / d warped, times the voxel's weight over the total weight: for each
// cell a polynomial in t, worked out once.
void histogram_backward(const float* fixed, const float* warped, const float* weight, int64_t count, int bins,
                        const float* gradient, double total, float* to_warped, int threads) {
  const float scale = static_cast<float>((bins - 3) / total);
  const int64_t cells = static_cast<int64_t>(bins) * bins;
  std::vector<Four> slopes(cells, Four{});
  for (int64_t c = 0; c < cells; ++c)
    for (int k = 0; k < 4 && c + k < cells; ++k)
      slopes[c] += scale * gradient[c + k] * Four{kLinear[k], 2 * kSquare[k], 3 * kCubic[k], 0};
  const int64_t blocks = (count + kLanes - 1) / kLanes;
  parallel(blocks, useful_threads(count, threads), [&](int64_t first, int64_t last, int) {
    alignas(64) float slope[kLanes];
    for (int64_t b = first; b < last; ++b) {
      const int64_t v = b * kLanes, n = count - v;
      const Places at = places(fixed + v, warped + v, n, bins);
      for (int k = 0; k < kLanes; ++k) {
        const Four s = slopes[at.cell[k]];
        slope[k] = s[0] + at.t[k] * (s[1] + at.t[k] * s[2]);
      }
      const Lanes m = load_some(warped + v, n);
      Lanes found = choose((m >= 0.0f) & (m <= 1.0f), load(slope), Lanes{});
      if (weight) found *= load_some(weight + v, n);
      store_some(to_warped + v, found, n);
    }
  });
}

}  // namespace PB_ISA
}  // namespace pb

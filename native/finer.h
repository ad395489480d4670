// A field on a coarser grid over the same field of view, read linearly at the voxels of a finer one, row by row; and the
// transpose of that along x. Each axis has a banded matrix from the coarse grid to the fine one, of one or two weights.
#pragma once
#include <algorithm>
#include <vector>

#include "pullback.h"
#include "simd.h"

namespace pb {
namespace PB_ISA {

// Sixteen numbers of a row at base + index, where 0 <= index < 32 and 32 numbers may be read.
inline Lanes picked(const float* base, const int32_t* index) {
#if defined(__AVX512F__)
  return _mm512_permutex2var_ps(_mm512_loadu_ps(base), _mm512_loadu_si512(index), _mm512_loadu_ps(base + kLanes));
#else
  Lanes found;
  for (int k = 0; k < kLanes; ++k) found[k] = base[index[k]];
  return found;
#endif
}

// A banded matrix along x, whose outputs are worked out sixteen at a time. Rows it reads need `kBeyond` numbers beyond
// their end; what it writes is whole vectors.
class Across {
 public:
  static constexpr int64_t kBeyond = 2 * kLanes;

  Across(const Band& band, int64_t count)
      : width_(band.width), wide_((count + kLanes - 1) / kLanes * kLanes), base_(wide_ / kLanes),
        index_(wide_, 0), weights_(wide_ * band.width, 0.0f) {
    for (int64_t x = 0; x < wide_; ++x) {
      const int64_t from = std::min(x, count - 1);
      if (x % kLanes == 0) base_[x / kLanes] = band.first[from];
      index_[x] = band.first[from] - base_[x / kLanes];
      near_ = near_ && index_[x] < 2 * kLanes;
      for (int k = 0; k < width_ && x < count; ++k) weights_[k * wide_ + x] = band.weights[x * band.width + k];
    }
  }

  int64_t wide() const { return wide_; }

  // out[x] = sum_k weights[k][x] row[first[x] + k]
  void apply(const float* row, float* out) const {
    for (int64_t x = 0; x < wide_; x += kLanes) {
      const float* from = row + base_[x / kLanes];
      Lanes sum = load(weights_.data() + x) * value(from, x);
      for (int k = 1; k < width_; ++k) sum += load(weights_.data() + k * wide_ + x) * value(from + k, x);
      store(out + x, sum);
    }
  }

 private:
  Lanes value(const float* from, int64_t x) const {
    if (near_) return picked(from, index_.data() + x);
    Lanes found;
    for (int k = 0; k < kLanes; ++k) found[k] = from[index_[x + k]];
    return found;
  }

  int width_;
  int64_t wide_;
  std::vector<int32_t> base_, index_;
  std::vector<float> weights_;
  bool near_ = true;  // whether sixteen neighbours read within 32 numbers
};

// Rows of a coarse field as the fine grid sees them.
class Finer {
 public:
  Finer(const float* field, int components, Grid coarse, const Band bands[3], int64_t nx)
      : field_(field), components_(components), coarse_(coarse), z_(bands[0]), y_(bands[1]), x_(bands[2], nx),
        between_pitch_((coarse.n[2] + kLanes - 1) / kLanes * kLanes + bands[2].width + Across::kBeyond),
        between_(components * between_pitch_, 0.0f), rows_(components * x_.wide(), 0.0f) {}

  // The field along one row of the fine grid: each component `pitch()` after the last one.
  const float* row(int64_t z, int64_t y) {
    const int64_t nx = coarse_.n[2], plane = coarse_.n[1] * nx;
    const float *wz = z_.weights + z * z_.width, *wy = y_.weights + y * y_.width;
    const float* first = field_ + z_.first[z] * plane + y_.first[y] * nx;
    for (int c = 0; c < components_; ++c) {
      const float* a = first + c * coarse_.count();
      for (int64_t x = 0; x < nx; x += kLanes) {
        Lanes sum = along_y(a + x, wy, nx, nx - x);
        if (z_.width > 1) sum = wz[0] * sum + wz[1] * along_y(a + plane + x, wy, nx, nx - x);
        store(between_.data() + c * between_pitch_ + x, sum);
      }
    }  // a read across two vectors that were just stored waits: not before all components are there
    for (int c = 0; c < components_; ++c) x_.apply(between_.data() + c * between_pitch_, rows_.data() + c * x_.wide());
    return rows_.data();
  }

  int64_t pitch() const { return x_.wide(); }

 private:
  // A single weight is 1: not multiplied with, for 0 times infinity would be no number.
  Lanes along_y(const float* at, const float* weights, int64_t pitch, int64_t n) const {
    if (y_.width == 1) return load_some(at, n);
    return weights[0] * load_some(at, n) + weights[1] * load_some(at + pitch, n);
  }

  const float* field_;
  int components_;
  Grid coarse_;
  Band z_, y_;
  Across x_;
  int64_t between_pitch_;
  std::vector<float> between_, rows_;
};

}  // namespace PB_ISA
}  // namespace pb

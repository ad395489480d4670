// The corners between which sixteen voxels read an image.
#pragma once
#include <algorithm>

#include "pullback.h"
#include "simd.h"

namespace pb {
namespace PB_ISA {

// An image in memory: sizes and strides as 32-bit offsets; a stride is 0 along an axis of one voxel.
struct Layout {
  explicit Layout(Grid size)
      : size(size), sz(size.n[0] > 1 ? static_cast<int32_t>(size.n[1] * size.n[2]) : 0),
        sy(size.n[1] > 1 ? static_cast<int32_t>(size.n[2]) : 0), sx(size.n[2] > 1 ? 1 : 0),
        last_window(size.count() - 32 - sz - sy) {}

  bool deep() const { return sz > 0; }
  bool windows() const { return sx == 1 && last_window >= 0; }

  Grid size;
  int32_t sz, sy, sx;
  int64_t last_window;  // where the last window of 32 begins that all four rows of corners can be read from
};

// Corner number 4 dz + 2 dy + dx of each lane.
struct Corners {
  Lanes c[8];
};

// Where sixteen voxels read: `offset` of the lowest corner of each.
//
// When all lie within 32 voxels of one row, that window of the row is loaded and the lanes pick theirs from it. Else
// each lane loads its lower and upper corner along x together, as one number of eight bytes: half as many reads as a
// gather of every corner, and on many processors faster than a gather instruction of the same length.
class Reader {
 public:
  Reader(const Layout& layout, Whole offset, bool backwards) : layout_(layout) {
    store_whole(offsets_, offset);
#if defined(__AVX512F__)
    const int64_t before = backwards ? 24 : 4;  // a window begins this much before the first lane
    const int64_t at = std::min(std::max<int64_t>(offsets_[0] - before, 0), layout.last_window);
    const __m512i index = _mm512_sub_epi32(reinterpret_cast<__m512i>(offset), _mm512_set1_epi32(static_cast<int32_t>(at)));
    if (layout.windows() && _mm512_cmple_epu32_mask(index, _mm512_set1_epi32(30)) == 0xffff) {
      window_ = at;
      index_ = index;
    }
#else
    (void)backwards;
#endif
  }

  // Ask for what the same voxels some rows further down will read: displaced rows escape the processor's own guesses.
  void prefetch(const float* image) const {
    const float* ahead = image + layout_.sz + kRowsAhead * layout_.sy;
#ifndef NPF
#define NPF 4
#endif
    for (int k = 0; k < kLanes; k += kLanes/NPF) __builtin_prefetch(ahead + offsets_[k]);
  }

  // Lower and upper corner along x, in the row of the image that begins `stride` after the lowest corners.
  void pair(const float* image, int32_t stride, Lanes& lower, Lanes& upper) const {
    const float* row = image + stride;
#if defined(__AVX512F__)
    if (window_ >= 0) {
      const __m512 a = _mm512_loadu_ps(row + window_), b = _mm512_loadu_ps(row + window_ + 16);
      lower = _mm512_permutex2var_ps(a, index_, b);
      upper = _mm512_permutex2var_ps(a, _mm512_add_epi32(index_, _mm512_set1_epi32(1)), b);
      return;
    }
#endif
    if (layout_.sx == 0) {
      for (int k = 0; k < kLanes; ++k) lower[k] = row[offsets_[k]];
      upper = lower;
      return;
    }
    pairs(row, lower, upper);
  }

 private:
#if defined(__AVX512F__)
  void pairs(const float* row, Lanes& lower, Lanes& upper) const {
    const __m512 a = eight(row, offsets_), b = eight(row, offsets_ + 8);
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    lower = _mm512_permutex2var_ps(a, even, b);
    upper = _mm512_permutex2var_ps(a, _mm512_add_epi32(even, _mm512_set1_epi32(1)), b);
  }

  static __m512 eight(const float* row, const int32_t* offset) {
    const __m256 low = _mm256_insertf128_ps(_mm256_castps128_ps256(two(row, offset)), two(row, offset + 2), 1);
    const __m256 high = _mm256_insertf128_ps(_mm256_castps128_ps256(two(row, offset + 4)), two(row, offset + 6), 1);
    return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
  }
#else
  void pairs(const float* row, Lanes& lower, Lanes& upper) const {
    for (int k = 0; k < kLanes; k += 4) {
#if defined(__SSE2__)
      const __m128 a = two(row, offsets_ + k), b = two(row, offsets_ + k + 2);
      const __m128 low = _mm_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0)), high = _mm_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1));
      std::memcpy(reinterpret_cast<float*>(&lower) + k, &low, sizeof low);
      std::memcpy(reinterpret_cast<float*>(&upper) + k, &high, sizeof high);
#else
      for (int l = k; l < k + 4; ++l) {
        lower[l] = row[offsets_[l]];
        upper[l] = row[offsets_[l] + 1];
      }
#endif
    }
  }
#endif

#if defined(__SSE2__)
  static __m128 two(const float* row, const int32_t* offset) {
    const __m128d low = _mm_load_sd(reinterpret_cast<const double*>(row + offset[0]));
    return _mm_castpd_ps(_mm_loadh_pd(low, reinterpret_cast<const double*>(row + offset[1])));
  }
#endif

#ifndef RA
#define RA 4
#endif
  static constexpr int kRowsAhead = RA;
  const Layout& layout_;
  alignas(64) int32_t offsets_[kLanes];
#if defined(__AVX512F__)
  int64_t window_ = -1;
  __m512i index_;
#endif
};

template <bool Deep>
inline Corners corners(const float* image, const Layout& layout, const Reader& reader) {
  Corners found;
  reader.pair(image, 0, found.c[0], found.c[1]);
  reader.pair(image, layout.sy, found.c[2], found.c[3]);
  if (Deep) {
    reader.pair(image, layout.sz, found.c[4], found.c[5]);
    reader.pair(image, layout.sz + layout.sy, found.c[6], found.c[7]);
  }
  return found;
}

// From a to b; exactly a at t = 0 and exactly b at t = 1.
inline Lanes between(Lanes a, Lanes b, Lanes t) { return (a - t * a) + t * b; }

}  // namespace PB_ISA
}  // namespace pb

// Sixteen single-precision lanes, the unit in which the kernels work. GCC's and Clang's vector types do the arithmetic
// on every processor (one AVX-512 register, two AVX2 or four SSE/NEON ones); only loads, stores, shifts across lanes and
// indexed reads are written out for AVX-512.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace pb {
namespace PB_ISA {

constexpr int kLanes = 16;

typedef float Lanes __attribute__((vector_size(64)));
typedef int32_t Whole __attribute__((vector_size(64)));  // also what comparisons give: -1 where true

inline Lanes all(float value) { return value - Lanes{}; }
inline Whole all(int32_t value) { return value - Whole{}; }
inline Lanes ramp() { return Lanes{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}; }

inline Lanes load(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

inline void store(float* to, Lanes lanes) { std::memcpy(to, &lanes, sizeof lanes); }
inline void store_whole(int32_t* to, Whole lanes) { std::memcpy(to, &lanes, sizeof lanes); }

// The first n lanes only; the others read 0. n may be 16 or more.
inline Lanes load_some(const float* from, int64_t n) {
  if (n >= kLanes) return load(from);
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), from);
#else
  Lanes lanes = {};
  std::memcpy(&lanes, from, n * sizeof(float));
  return lanes;
#endif
}

inline void store_some(float* to, Lanes lanes, int64_t n) {
  if (n >= kLanes) return store(to, lanes);
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << n) - 1), lanes);
#else
  std::memcpy(to, &lanes, n * sizeof(float));
#endif
}

inline Lanes choose(Whole where, Lanes yes, Lanes no) {
#if defined(__AVX512F__)
  return _mm512_mask_mov_ps(no, _mm512_movepi32_mask(reinterpret_cast<__m512i>(where)), yes);
#else
  return where ? yes : no;
#endif
}

// In this order what is not a number becomes `low`.
inline Lanes clamp(Lanes value, Lanes low, Lanes high) {
  const Lanes above = choose(value > low, value, low);
  return choose(above < high, above, high);
}

inline Lanes larger(Lanes a, Lanes b) { return choose(a > b, a, b); }

inline Whole truncate(Lanes value) { return __builtin_convertvector(value, Whole); }
inline Lanes number(Whole value) { return __builtin_convertvector(value, Lanes); }

inline Lanes absolute(Lanes value) { return choose(value < 0.0f, -value, value); }

// Lanes K to K + 15 of the 32 that `low` and `high` make.
template <int K>
inline Lanes shifted(Lanes low, Lanes high) {
  if constexpr (K == 0) return low;
  if constexpr (K == kLanes) return high;
#if defined(__AVX512F__)
  return _mm512_castsi512_ps(_mm512_alignr_epi32(_mm512_castps_si512(high), _mm512_castps_si512(low), K & 15));
#else
  float both[2 * kLanes];
  store(both, low);
  store(both + kLanes, high);
  return load(both + K);
#endif
}

inline float sum(Lanes lanes) {
  float total = 0;
  for (int k = 0; k < kLanes; ++k) total += lanes[k];
  return total;
}

}  // namespace PB_ISA
}  // namespace pb

// Run a loop on several threads, in contiguous parts that they take as they get free.
#pragma once
#include <algorithm>
#include <cstdint>
#ifdef _OPENMP
#include <omp.h>
#endif

namespace pb {

constexpr int kTurns = 6;  // parts for each thread: one that loses its core to another program leaves its parts to the rest

// How many contiguous parts `parallel` makes of `count`.
inline int parts_of(int64_t count, int threads) {
  return static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(threads == 1 ? 1 : int64_t{threads} * kTurns, count)));
}

// body(begin, end, part) for contiguous parts of [0, count), on so many threads at once; results must not depend on
// where the parts begin.
template <class Body>
void parallel(int64_t count, int threads, const Body& body) {
  const int parts = parts_of(count, threads);
  if (parts == 1) {
    body(int64_t{0}, count, 0);
    return;
  }
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
#endif
  for (int p = 0; p < parts; ++p) body(count * p / parts, count * (p + 1) / parts, p);
}

// As many threads as there is work for: below about 16,000 voxels a thread costs more than it does.
inline int useful_threads(int64_t voxels, int threads) {
  return static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(threads, voxels / 16384)));
}

}  // namespace pb

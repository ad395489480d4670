// Run a loop on several threads, each thread on one contiguous share.
#pragma once
#include <algorithm>
#include <cstdint>
#ifdef _OPENMP
#include <omp.h>
#endif

namespace pb {

// body(begin, end, share) for `shares` contiguous parts of [0, count), at once.
template <class Body>
void parallel(int64_t count, int shares, const Body& body) {
  shares = static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(shares, count)));
  if (shares == 1) {
    body(int64_t{0}, count, 0);
    return;
  }
#ifdef _OPENMP
#pragma omp parallel for num_threads(shares) schedule(static, 1)
#endif
  for (int s = 0; s < shares; ++s) body(count * s / shares, count * (s + 1) / shares, s);
}

// As many threads as there is work for: below about 16,000 voxels a thread costs more than it does.
inline int useful_threads(int64_t voxels, int threads) {
  return static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(threads, voxels / 16384)));
}

}  // namespace pb

// Separable Gaussian (any symmetric odd kernel), the edge repeated. Two sweeps over memory: slice by slice along y and
// x, then row by row along z; each works in buffers that stay in the cache.
#include <algorithm>
#include <cstring>
#include <vector>

#include "parallel.h"
#include "pullback.h"

namespace pb {
namespace PB_ISA {
namespace {

// out[x] = sum_k taps[|k|] rows[k][x], with rows from `radius` before to `radius` after.
void weigh_rows(const float* const* rows, const float* taps, int radius, int64_t n, float* out) {
  const float* middle = rows[radius];
  const float t0 = taps[0];
  for (int64_t x = 0; x < n; ++x) out[x] = t0 * middle[x];
  int k = 1;
  for (; k + 1 <= radius; k += 2) {  // two pairs of rows at a time: fewer passes over `out`
    const float *a = rows[radius - k], *b = rows[radius + k], *c = rows[radius - k - 1], *d = rows[radius + k + 1];
    const float ta = taps[k], tc = taps[k + 1];
    for (int64_t x = 0; x < n; ++x) out[x] += ta * (a[x] + b[x]) + tc * (c[x] + d[x]);
  }
  if (k <= radius) {
    const float *a = rows[radius - k], *b = rows[radius + k];
    const float t = taps[k];
    for (int64_t x = 0; x < n; ++x) out[x] += t * (a[x] + b[x]);
  }
}

// A row with its ends repeated `radius` times on both sides.
void pad_row(const float* row, int64_t n, int radius, float* padded) {
  std::fill(padded, padded + radius, row[0]);
  std::memcpy(padded + radius, row, n * sizeof(float));
  std::fill(padded + radius + n, padded + 2 * radius + n, row[n - 1]);
}

int64_t clamped(int64_t i, int64_t n) { return std::min(std::max<int64_t>(i, 0), n - 1); }

void along_y_and_x(const float* slice, Grid size, const float* const taps[3], const int radius[3], float* out,
                   std::vector<float>& buffer) {
  const int64_t ny = size.n[1], nx = size.n[2];
  const int ry = radius[1], rx = radius[2];
  buffer.resize(nx + nx + 2 * rx);
  float *row = buffer.data(), *padded = row + nx;
  std::vector<const float*> rows(2 * std::max(ry, rx) + 1);
  for (int64_t y = 0; y < ny; ++y) {
    const float* from = slice + y * nx;
    if (ry > 0) {
      for (int k = -ry; k <= ry; ++k) rows[k + ry] = slice + clamped(y + k, ny) * nx;
      weigh_rows(rows.data(), taps[1], ry, nx, row);
      from = row;
    }
    if (rx > 0) {
      pad_row(from, nx, rx, padded);
      for (int k = 0; k <= 2 * rx; ++k) rows[k] = padded + k;
      weigh_rows(rows.data(), taps[2], rx, nx, out + y * nx);
    } else {
      std::memcpy(out + y * nx, from, nx * sizeof(float));
    }
  }
}

// In place along z, for one y: the rows of all slices are copied together first.
void along_z(float* image, Grid size, int64_t y, const float* taps, int radius, std::vector<float>& buffer) {
  const int64_t nz = size.n[0], nx = size.n[2], plane = size.n[1] * nx;
  const int64_t pitch = nx + 16;  // never a multiple of 4096 bytes: rows must not fight for one cache set
  buffer.resize(nz * pitch);
  for (int64_t z = 0; z < nz; ++z) std::memcpy(buffer.data() + z * pitch, image + z * plane + y * nx, nx * sizeof(float));
  std::vector<const float*> rows(2 * radius + 1);
  for (int64_t z = 0; z < nz; ++z) {
    for (int k = -radius; k <= radius; ++k) rows[k + radius] = buffer.data() + clamped(z + k, nz) * pitch;
    weigh_rows(rows.data(), taps, radius, nx, image + z * plane + y * nx);
  }
}

}  // namespace

void smooth(const float* image, Grid size, const float* const taps[3], const int radius[3], float* result, int threads) {
  const int64_t plane = size.n[1] * size.n[2];
  threads = useful_threads(size.count(), threads);
  if (size.n[0] == 1) {  // one slice: share its rows out, each with the rows around it
    parallel(size.n[1], threads, [&](int64_t first, int64_t last, int) {
      const int64_t nx = size.n[2];
      std::vector<float> buffer(nx + nx + 2 * radius[2]);
      float *row = buffer.data(), *padded = row + nx;
      std::vector<const float*> rows(2 * std::max(radius[1], radius[2]) + 1);
      for (int64_t y = first; y < last; ++y) {
        for (int k = -radius[1]; k <= radius[1]; ++k) rows[k + radius[1]] = image + clamped(y + k, size.n[1]) * nx;
        weigh_rows(rows.data(), taps[1], radius[1], nx, row);
        pad_row(row, nx, radius[2], padded);
        for (int k = 0; k <= 2 * radius[2]; ++k) rows[k] = padded + k;
        weigh_rows(rows.data(), taps[2], radius[2], nx, result + y * nx);
      }
    });
    return;
  }
  parallel(size.n[0], threads, [&](int64_t first, int64_t last, int) {
    std::vector<float> buffer;
    for (int64_t z = first; z < last; ++z)
      along_y_and_x(image + z * plane, size, taps, radius, result + z * plane, buffer);
  });
  if (radius[0] > 0)
    parallel(size.n[1], threads, [&](int64_t first, int64_t last, int) {
      std::vector<float> buffer;
      for (int64_t y = first; y < last; ++y) along_z(result, size, y, taps[0], radius[0], buffer);
    });
}

}  // namespace PB_ISA
}  // namespace pb

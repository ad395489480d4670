// Linear interpolation at positions that a displacement on a coarser grid moves: its rows are made as they are needed.
#include "corners.h"
#include "finer.h"
#include "parallel.h"
#include "pullback.h"
#include "rows.h"

namespace pb {
namespace PB_ISA {
namespace {

struct Target {
  int clamp;
  float outside;
  float* values;
};

template <int Dim, bool Deep>
void sample_row(const float* image, const Layout& layout, int channels, const Row& row, int64_t nx, int64_t voxels,
                const Target& to) {
  for (int64_t x = 0; x < nx; x += kLanes) {
    Lanes p[3] = {};
    row.positions<Dim>(x, p);
    const Place at = place<Deep>(p, layout);
    const Reader reader(layout, at.offset, row.backwards());
    for (int c = 0; c < channels; ++c) {
      const float* channel = image + c * layout.size.count();
      reader.prefetch(channel);
      Lanes v = value<Deep>(corners<Deep>(channel, layout, reader), at);
      if (!to.clamp) v = choose(inside<Dim>(p, layout.size), v, all(to.outside));
      store_some(to.values + c * voxels + row.at() + x, v, nx - x);
    }
  }
}

}  // namespace

void sample_coarse(const float* image, Grid size, int channels, const Reading& where, Grid coarse, const Band bands[3],
                   int clamp, float outside, float* values, int threads) {
  const Layout layout(size);
  const Target to{clamp, outside, values};
  const int64_t ny = where.shape[1], nx = where.shape[2], rows = where.shape[0] * ny, voxels = rows * nx;
  const auto one = where.dim == 2 ? sample_row<2, false> : layout.deep() ? sample_row<3, true> : sample_row<3, false>;
  parallel(rows, useful_threads(voxels, threads), [&](int64_t first, int64_t last, int) {
    Finer finer(where.displacement, where.dim, coarse, bands, nx);
    for (int64_t k = first; k < last; ++k) {
      const float* displacement = finer.row(k / ny, k % ny);
      one(image, layout, channels, Row(where, k / ny, k % ny, displacement, finer.pitch()), nx, voxels, to);
    }
  });
}

// 1 where such a position lies inside the image, else 0.
void inside_coarse(Grid size, const Reading& where, Grid coarse, const Band bands[3], float* mask, int threads) {
  const int64_t ny = where.shape[1], nx = where.shape[2], rows = where.shape[0] * ny;
  parallel(rows, useful_threads(rows * nx, threads), [&](int64_t first, int64_t last, int) {
    Finer finer(where.displacement, where.dim, coarse, bands, nx);
    for (int64_t k = first; k < last; ++k) {
      const float* displacement = finer.row(k / ny, k % ny);
      const Row row(where, k / ny, k % ny, displacement, finer.pitch());
      for (int64_t x = 0; x < nx; x += kLanes) {
        Lanes p[3] = {};
        where.dim == 2 ? row.positions<2>(x, p) : row.positions<3>(x, p);
        const Whole in = where.dim == 2 ? inside<2>(p, size) : inside<3>(p, size);
        store_some(mask + row.at() + x, choose(in, all(1.0f), Lanes{}), nx - x);
      }
    }
  });
}

}  // namespace PB_ISA
}  // namespace pb

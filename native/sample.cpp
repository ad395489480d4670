// Linear interpolation at affine-plus-displacement positions: values, gradient with respect to position, and the mask
// of positions inside. Sixteen output voxels of a row at a time, in registers from position to value; a position beyond
// the outermost voxel centres is clamped to them.
#include <algorithm>
#include <cmath>
#include <vector>

#include "corners.h"
#include "forces.h"
#include "parallel.h"
#include "pullback.h"
#include "rows.h"

namespace pb {
namespace PB_ISA {
namespace {

struct Target {
  int clamp;
  float outside;
  const float* plus;
  float scale;
  float* values;
};

template <int Dim, bool Deep>
void sample_row(const float* image, const Layout& layout, int channels, const Reading& where, const Target& to, int64_t z,
                int64_t y) {
  const Row row(where, z, y);
  const int64_t nx = where.shape[2], voxels = where.shape[0] * where.shape[1] * nx;
  for (int64_t x = 0; x < nx; x += kLanes) {
    Lanes p[3] = {};
    row.positions<Dim>(x, p);
    const Place at = place<Deep>(p, layout);
    const Reader reader(layout, at.offset, row.backwards());
    for (int c = 0; c < channels; ++c) {
      reader.prefetch(image + c * layout.size.count());
      const int64_t into = c * voxels + row.at() + x;
      Lanes v = value<Deep>(corners<Deep>(image + c * layout.size.count(), layout, reader), at);
      if (!to.clamp) v = choose(inside<Dim>(p, layout.size), v, all(to.outside));
      if (to.plus) v += to.scale * load_some(to.plus + into, nx - x);
      store_some(to.values + into, v, nx - x);
    }
  }
}

// The force on every position of a row: to the displacement, and its sums, see `RowSums`.
template <int Dim, bool Deep>
void slope_row(const float* image, const Layout& layout, int channels, const Reading& where, int clamp,
               const float* gradient, float* to_displacement, double* sums, int64_t z, int64_t y) {
  const Row row(where, z, y);
  const int64_t nx = where.shape[2], voxels = where.shape[0] * where.shape[1] * nx;
  RowSums<Dim> total(where, row);
  for (int64_t x = 0; x < nx; x += kLanes) {
    Lanes p[3] = {}, force[3] = {};
    row.positions<Dim>(x, p);
    const Place at = place<Deep>(p, layout);
    const Reader reader(layout, at.offset, row.backwards());
    for (int c = 0; c < channels; ++c) {
      Lanes slope[3] = {};
      reader.prefetch(image + c * layout.size.count());
      slopes<Deep>(corners<Deep>(image + c * layout.size.count(), layout, reader), at, slope);
      const Lanes g = load_some(gradient + c * voxels + row.at() + x, nx - x);
      for (int i = Deep ? 0 : 1; i < 3; ++i) force[i] += g * slope[i];
    }
    flatten_outside<Dim>(p, layout, clamp, force);
    if (to_displacement)
      for (int j = 0; j < Dim; ++j)
        store_some(to_displacement + j * voxels + row.at() + x, row.on_displacement<Dim>(force, j), nx - x);
    if (sums) total.add(force, x);
  }
  if (sums) total.store(sums);
}

// Values and slopes of a row from one reading.
template <int Dim, bool Deep>
void both_row(const float* image, const Layout& layout, int channels, const Reading& where, int clamp, float outside,
              float* values, float* to_slopes, int64_t z, int64_t y) {
  const Row row(where, z, y);
  const int64_t nx = where.shape[2], voxels = where.shape[0] * where.shape[1] * nx;
  for (int64_t x = 0; x < nx; x += kLanes) {
    Lanes p[3] = {};
    row.positions<Dim>(x, p);
    const Place at = place<Deep>(p, layout);
    const Reader reader(layout, at.offset, row.backwards());
    for (int c = 0; c < channels; ++c) {
      reader.prefetch(image + c * layout.size.count());
      const Corners found = corners<Deep>(image + c * layout.size.count(), layout, reader);
      Lanes v = value<Deep>(found, at), slope[3] = {};
      if (!clamp) v = choose(inside<Dim>(p, layout.size), v, all(outside));
      store_some(values + c * voxels + row.at() + x, v, nx - x);
      slopes<Deep>(found, at, slope);
      flatten_outside<Dim>(p, layout, clamp, slope);
      for (int i = 0; i < Dim; ++i)
        store_some(to_slopes + (c * Dim + i) * voxels + row.at() + x, slope[i + 3 - Dim], nx - x);
    }
  }
}

// The sums of the forces on a row, from slopes that were kept.
template <int Dim>
void kept_row(const float* slopes, int channels, const Reading& where, const float* gradient, double* sums, int64_t z,
              int64_t y) {
  const Row row(where, z, y);
  const int64_t nx = where.shape[2], voxels = where.shape[0] * where.shape[1] * nx;
  RowSums<Dim> total(where, row);
  for (int64_t x = 0; x < nx; x += kLanes) {
    const int64_t at = row.at() + x, n = nx - x;
    Lanes force[3] = {};
    for (int c = 0; c < channels; ++c) {
      const Lanes g = load_some(gradient + c * voxels + at, n);
      for (int i = 0; i < Dim; ++i) force[i + 3 - Dim] += g * load_some(slopes + (c * Dim + i) * voxels + at, n);
    }
    total.add(force, x);
  }
  total.store(sums);
}

}  // namespace

void sample(const float* image, Grid size, int channels, const Reading& where, int clamp, float outside,
            const float* plus, float scale, float* values, int threads) {
  const Layout layout(size);
  const Target to{clamp, outside, plus, scale, values};
  const auto rows = where.dim == 2 ? sample_row<2, false> : layout.deep() ? sample_row<3, true> : sample_row<3, false>;
  each_row(where, threads, [&](int64_t z, int64_t y) { rows(image, layout, channels, where, to, z, y); });
}

void sample_backward(const float* image, Grid size, int channels, const Reading& where, int clamp, const float* gradient,
                     float* to_displacement, double* to_matrix, double* to_mix, int threads) {
  const Layout layout(size);
  const auto slope = where.dim == 2 ? slope_row<2, false> : layout.deep() ? slope_row<3, true> : slope_row<3, false>;
  const auto one = [&](int64_t z, int64_t y, double* sums) {
    slope(image, layout, channels, where, clamp, gradient, to_displacement, sums, z, y);
  };
  if (to_matrix)
    to_matrices(where, to_matrix, to_mix, threads, one);
  else
    each_row(where, threads, [&](int64_t z, int64_t y) { one(z, y, nullptr); });
}

// slopes: (channels, dim, shape), along the image's axes.
void sample_slopes(const float* image, Grid size, int channels, const Reading& where, int clamp, float outside,
                   float* values, float* slopes, int threads) {
  const Layout layout(size);
  const auto both = where.dim == 2 ? both_row<2, false> : layout.deep() ? both_row<3, true> : both_row<3, false>;
  each_row(where, threads, [&](int64_t z, int64_t y) {
    both(image, layout, channels, where, clamp, outside, values, slopes, z, y);
  });
}

// What `sample_backward` gives, to the bit, from slopes that were kept: no second reading of the image.
void slopes_to_matrix(const float* slopes, int channels, const Reading& where, const float* gradient, double* to_matrix,
                      double* to_mix, int threads) {
  const auto kept = where.dim == 2 ? kept_row<2> : kept_row<3>;
  to_matrices(where, to_matrix, to_mix, threads,
              [&](int64_t z, int64_t y, double* sums) { kept(slopes, channels, where, gradient, sums, z, y); });
}

void inside(Grid size, const Reading& where, float* mask, int threads) {
  const int64_t nx = where.shape[2];
  each_row(where, threads, [&](int64_t z, int64_t y) {
    const Row row(where, z, y);
    for (int64_t x = 0; x < nx; x += kLanes) {
      Lanes p[3] = {};
      where.dim == 2 ? row.positions<2>(x, p) : row.positions<3>(x, p);
      const Whole in = where.dim == 2 ? inside<2>(p, size) : inside<3>(p, size);
      store_some(mask + row.at() + x, choose(in, all(1.0f), Lanes{}), nx - x);
    }
  });
}

// The largest Euclidean norm of the vectors of a field.
float largest(const float* field, int components, int64_t count, int threads) {
  threads = useful_threads(count, threads);
  std::vector<float> parts(parts_of(count, threads), 0.0f);
  parallel(count, threads, [&](int64_t first, int64_t last, int part) {
    Lanes most = {};
    for (int64_t v = first; v < last; v += kLanes) {
      Lanes square = {};
      for (int c = 0; c < components; ++c) {
        const Lanes u = load_some(field + c * count + v, last - v);
        square += u * u;
      }
      most = choose(square <= most, most, square);
    }
    for (int k = 0; k < kLanes; ++k) parts[part] = most[k] <= parts[part] ? parts[part] : most[k];
  });
  float most = 0.0f;
  for (const float part : parts) most = part <= most ? most : part;
  return std::sqrt(most);
}

}  // namespace PB_ISA
}  // namespace pb

// Linear interpolation at affine-plus-displacement positions: values, gradient with respect to position, and the mask
// of positions inside. Sixteen output voxels of a row at a time, in registers from position to value; a position beyond
// the outermost voxel centres is clamped to them.
#include <algorithm>
#include <cmath>
#include <vector>

#include "corners.h"
#include "parallel.h"
#include "pullback.h"

namespace pb {
namespace PB_ISA {
namespace {

// The positions of one row of output voxels, in voxels of the image: axis i of {z, y, x} is
// origin[i] + step[i] x + sum_j mix[i][j] displacement_j; axes that the image lacks (z of a 2-D one) stay 0.
class Row {
 public:
  Row(const Reading& where, int64_t z, int64_t y) : where_(where), nx_(where.shape[2]) {
    const int dim = where.dim, skip = 3 - dim;
    plane_ = where.shape[0] * where.shape[1] * nx_;
    at_ = (z * where.shape[1] + y) * nx_;
    for (int i = 0; i < dim; ++i) {
      const double* row = where.matrix + i * (dim + 1);
      const double origin = (dim == 3 ? row[0] * static_cast<double>(z) : 0.0) + row[dim - 2] * static_cast<double>(y) + row[dim];
      origin_[i + skip] = static_cast<float>(origin);
      step_[i + skip] = static_cast<float>(row[dim - 1]);
      for (int j = 0; j < dim; ++j) mix_[i + skip][j] = static_cast<float>(where.mix[i * dim + j]);
    }
  }

  int64_t at() const { return at_; }
  bool backwards() const { return step_[2] < 0; }

  template <int Dim>
  void positions(int64_t x, Lanes p[3]) const {
    const int64_t n = nx_ - x;
    const Lanes place = all(static_cast<float>(x)) + ramp();
    for (int i = 3 - Dim; i < 3; ++i) p[i] = origin_[i] + step_[i] * place;
    if (!where_.displacement) return;
    const float* u = where_.displacement + at_ + x;
    const Lanes u0 = load_some(u, n), u1 = load_some(u + plane_, n);
    if (Dim == 2) {
      for (int i = 1; i < 3; ++i) p[i] += mix_[i][0] * u0 + mix_[i][1] * u1;
    } else {
      const Lanes u2 = load_some(u + 2 * plane_, n);
      for (int i = 0; i < 3; ++i) p[i] += mix_[i][0] * u0 + mix_[i][1] * u1 + mix_[i][2] * u2;
    }
  }

  // Turns a force on positions into one on the displacement: its component j.
  template <int Dim>
  Lanes on_displacement(const Lanes force[3], int j) const {
    Lanes f = mix_[1][j] * force[1] + mix_[2][j] * force[2];
    if (Dim == 3) f += mix_[0][j] * force[0];
    return f;
  }

 private:
  const Reading& where_;
  int64_t nx_, plane_, at_;
  float origin_[3] = {0, 0, 0}, step_[3] = {0, 0, 0}, mix_[3][3] = {};
};

// Lower corner and weight of the upper one along one axis.
inline Whole corner(Lanes p, int64_t size, Lanes& t) {
  const Lanes q = clamp(p, all(0.0f), all(static_cast<float>(size - 1)));
  const Whole i = truncate(q), top = all(static_cast<int32_t>(std::max<int64_t>(size - 2, 0)));
  const Whole low = i < top ? i : top;
  t = q - number(low);
  return low;
}

struct Place {
  Whole offset;
  Lanes tz, ty, tx;
};

template <bool Deep>
inline Place place(const Lanes p[3], const Layout& image) {
  Place found;
  found.offset = corner(p[2], image.size.n[2], found.tx) + image.sy * corner(p[1], image.size.n[1], found.ty);
  if (Deep) found.offset += image.sz * corner(p[0], image.size.n[0], found.tz);
  return found;
}

template <int Dim>
inline Whole inside(const Lanes p[3], Grid size) {
  Whole in = all(int32_t{-1});
  for (int i = 3 - Dim; i < 3; ++i) in &= (p[i] >= -0.5f) & (p[i] < static_cast<float>(size.n[i]) - 0.5f);
  return in;
}

template <bool Deep>
inline Lanes value(const Corners& at, const Place& where) {
  const Lanes low = between(between(at.c[0], at.c[1], where.tx), between(at.c[2], at.c[3], where.tx), where.ty);
  if (!Deep) return low;
  const Lanes high = between(between(at.c[4], at.c[5], where.tx), between(at.c[6], at.c[7], where.tx), where.ty);
  return between(low, high, where.tz);
}

// slope[i] = d value / d p_i
template <bool Deep>
inline void slopes(const Corners& at, const Place& where, Lanes slope[3]) {
  const Lanes* c = at.c;
  const Lanes a = between(c[0], c[1], where.tx), b = between(c[2], c[3], where.tx);
  slope[1] = b - a;
  slope[2] = between(c[1] - c[0], c[3] - c[2], where.ty);
  if (!Deep) return;
  const Lanes e = between(c[4], c[5], where.tx), f = between(c[6], c[7], where.tx);
  slope[0] = between(e, f, where.ty) - between(a, b, where.ty);
  slope[1] = between(slope[1], f - e, where.tz);
  slope[2] = between(slope[2], between(c[5] - c[4], c[7] - c[6], where.ty), where.tz);
}

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

// The force on every position of a row, to the displacement; to `sums` for each axis its sum, its moment along x, and its
// product with each component of the displacement.
template <int Dim, bool Deep>
void slope_row(const float* image, const Layout& layout, int channels, const Reading& where, int clamp,
               const float* gradient, float* to_displacement, double* sums, int64_t z, int64_t y) {
  const Row row(where, z, y);
  const int64_t nx = where.shape[2], voxels = where.shape[0] * where.shape[1] * nx;
  Lanes total[3] = {}, moment[3] = {}, product[3][3] = {};
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
    const Whole in = clamp ? all(int32_t{-1}) : inside<Dim>(p, layout.size);
    for (int i = 3 - Dim; i < 3; ++i) {  // beyond the outermost voxel centres the edge is repeated: no slope there
      const Whole sloped = in & (p[i] >= 0.0f) & (p[i] < static_cast<float>(layout.size.n[i] - 1));
      force[i] = choose(sloped, force[i], Lanes{});
    }
    if (to_displacement)
      for (int j = 0; j < Dim; ++j)
        store_some(to_displacement + j * voxels + row.at() + x, row.on_displacement<Dim>(force, j), nx - x);
    if (!sums) continue;
    for (int i = 3 - Dim; i < 3; ++i) {  // lanes beyond the row have no gradient, so no force
      total[i] += force[i];
      moment[i] += force[i] * (all(static_cast<float>(x)) + ramp());
    }
    for (int j = 0; j < Dim && where.displacement; ++j) {
      const Lanes u = load_some(where.displacement + j * voxels + row.at() + x, nx - x);
      for (int i = 3 - Dim; i < 3; ++i) product[i][j] += force[i] * u;
    }
  }
  for (int i = 0; i < Dim && sums; ++i) {
    double* into = sums + i * (2 + Dim);
    into[0] = sum(total[i + 3 - Dim]);
    into[1] = sum(moment[i + 3 - Dim]);
    for (int j = 0; j < Dim; ++j) into[2 + j] = sum(product[i + 3 - Dim][j]);
  }
}

// body(z, y) for every row of the output.
template <class Body>
void each_row(const Reading& where, int threads, const Body& body) {
  const int64_t rows = where.shape[0] * where.shape[1];
  parallel(rows, useful_threads(rows * where.shape[2], threads), [&](int64_t first, int64_t last, int) {
    for (int64_t row = first; row < last; ++row) body(row / where.shape[1], row % where.shape[1]);
  });
}

}  // namespace

void sample(const float* image, Grid size, int channels, const Reading& where, int clamp, float outside,
            const float* plus, float scale, float* values, int threads) {
  const Layout layout(size);
  const Target to{clamp, outside, plus, scale, values};
  const auto rows = where.dim == 2 ? sample_row<2, false> : layout.deep() ? sample_row<3, true> : sample_row<3, false>;
  each_row(where, threads, [&](int64_t z, int64_t y) { rows(image, layout, channels, where, to, z, y); });
}

// Sums are kept per row and added in order, so that the number of threads does not change a bit.
void sample_backward(const float* image, Grid size, int channels, const Reading& where, int clamp, const float* gradient,
                     float* to_displacement, double* to_matrix, double* to_mix, int threads) {
  const Layout layout(size);
  const int dim = where.dim, each = dim * (2 + dim);
  const int64_t ny = where.shape[1], rows = where.shape[0] * ny;
  std::vector<double> sums(to_matrix ? rows * each : 0);
  const auto slope = dim == 2 ? slope_row<2, false> : layout.deep() ? slope_row<3, true> : slope_row<3, false>;
  each_row(where, threads, [&](int64_t z, int64_t y) {
    double* into = to_matrix ? sums.data() + (z * ny + y) * each : nullptr;
    slope(image, layout, channels, where, clamp, gradient, to_displacement, into, z, y);
  });
  if (!to_matrix) return;
  std::fill(to_matrix, to_matrix + dim * (dim + 1), 0.0);
  std::fill(to_mix, to_mix + dim * dim, 0.0);
  for (int64_t row = 0; row < rows; ++row)
    for (int i = 0; i < dim; ++i) {
      const double* from = sums.data() + row * each + i * (2 + dim);
      const double force = from[0], moment = from[1];
      double* into = to_matrix + i * (dim + 1);
      if (dim == 3) into[0] += force * static_cast<double>(row / ny);
      into[dim - 2] += force * static_cast<double>(row % ny);
      into[dim - 1] += moment;
      into[dim] += force;
      for (int j = 0; j < dim; ++j) to_mix[i * dim + j] += from[2 + j];
    }
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

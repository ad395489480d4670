// Rows of output voxels, sixteen at a time: where each reads, in registers, what it finds there, and how that changes
// along the image's axes.
#pragma once
#include <algorithm>

#include "corners.h"
#include "parallel.h"
#include "pullback.h"

namespace pb {
namespace PB_ISA {

// The positions of one row of output voxels, in voxels of the image: axis i of {z, y, x} is
// origin[i] + step[i] x + sum_j mix[i][j] displacement_j; axes that the image lacks (z of a 2-D one) stay 0.
class Row {
 public:
  Row(const Reading& where, int64_t z, int64_t y) : Row(where, z, y, where.displacement, 0) {
    pitch_ = where.shape[0] * where.shape[1] * nx_;
    if (displacement_) displacement_ += at_;
  }

  // With a displacement of its own along the row: component j begins j * pitch later.
  Row(const Reading& where, int64_t z, int64_t y, const float* displacement, int64_t pitch)
      : displacement_(displacement), pitch_(pitch), nx_(where.shape[2]), at_((z * where.shape[1] + y) * nx_) {
    const int dim = where.dim, skip = 3 - dim;
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
    if (!displacement_) return;
    const float* u = displacement_ + x;
    const Lanes u0 = load_some(u, n), u1 = load_some(u + pitch_, n);
    if (Dim == 2) {
      for (int i = 1; i < 3; ++i) p[i] += mix_[i][0] * u0 + mix_[i][1] * u1;
    } else {
      const Lanes u2 = load_some(u + 2 * pitch_, n);
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
  const float* displacement_;
  int64_t pitch_, nx_, at_;
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

// body(z, y) for every row of the output.
template <class Body>
void each_row(const Reading& where, int threads, const Body& body) {
  const int64_t rows = where.shape[0] * where.shape[1];
  parallel(rows, useful_threads(rows * where.shape[2], threads), [&](int64_t first, int64_t last, int) {
    for (int64_t row = first; row < last; ++row) body(row / where.shape[1], row % where.shape[1]);
  });
}

}  // namespace PB_ISA
}  // namespace pb

// Forces on the positions of a row of output voxels, and what they add up to: the gradient with respect to the matrix and
// the mix.
#pragma once
#include <algorithm>
#include <vector>

#include "corners.h"
#include "rows.h"

namespace pb {
namespace PB_ISA {
namespace {

// What the forces on a row add to the matrix: for each axis its sum, its moment along x, and its product with each
// component of the displacement.
template <int Dim>
class RowSums {
 public:
  explicit RowSums(const Reading& where, const Row& row)
      : where_(where), at_(row.at()), voxels_(where.shape[0] * where.shape[1] * where.shape[2]) {}

  void add(const Lanes force[3], int64_t x) {
    const int64_t n = where_.shape[2] - x;
    for (int i = 3 - Dim; i < 3; ++i) {  // lanes beyond the row have no gradient, so no force
      total_[i] += force[i];
      moment_[i] += force[i] * (all(static_cast<float>(x)) + ramp());
    }
    for (int j = 0; j < Dim && where_.displacement; ++j) {
      const Lanes u = load_some(where_.displacement + j * voxels_ + at_ + x, n);
      for (int i = 3 - Dim; i < 3; ++i) product_[i][j] += force[i] * u;
    }
  }

  void store(double* sums) const {
    for (int i = 0; i < Dim; ++i) {
      double* into = sums + i * (2 + Dim);
      into[0] = sum(total_[i + 3 - Dim]);
      into[1] = sum(moment_[i + 3 - Dim]);
      for (int j = 0; j < Dim; ++j) into[2 + j] = sum(product_[i + 3 - Dim][j]);
    }
  }

 private:
  const Reading& where_;
  int64_t at_, voxels_;
  Lanes total_[3] = {}, moment_[3] = {}, product_[3][3] = {};
};

// Beyond the outermost voxel centres the edge is repeated: no slope there.
template <int Dim>
inline void flatten_outside(const Lanes p[3], const Layout& layout, int clamp, Lanes slope[3]) {
  const Whole in = clamp ? all(int32_t{-1}) : inside<Dim>(p, layout.size);
  for (int i = 3 - Dim; i < 3; ++i) {
    const Whole sloped = in & (p[i] >= 0.0f) & (p[i] < static_cast<float>(layout.size.n[i] - 1));
    slope[i] = choose(sloped, slope[i], Lanes{});
  }
}

// Sums are kept per row and added in order, so that the number of threads does not change a bit.
template <class Rows>
void to_matrices(const Reading& where, double* to_matrix, double* to_mix, int threads, const Rows& one) {
  const int dim = where.dim, each = dim * (2 + dim);
  const int64_t ny = where.shape[1], rows = where.shape[0] * ny;
  std::vector<double> sums(rows * each);
  each_row(where, threads, [&](int64_t z, int64_t y) { one(z, y, sums.data() + (z * ny + y) * each); });
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

}  // namespace
}  // namespace PB_ISA
}  // namespace pb

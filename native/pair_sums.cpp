// Everything that a least-squares fit of a matrix asks of two images, in one pass: the sums of values and of their
// products, of values times slopes, and of slopes times slopes, each slope with the place that it belongs to. Nothing
// the size of an image is written.
#include <algorithm>
#include <vector>

#include "parallel.h"
#include "pullback.h"
#include "rows.h"
#include "simd.h"

namespace pb {
namespace PB_ISA {
namespace {

constexpr int64_t kShare = 16;  // rows summed together: shares have a set size, whatever the threads

// What the sums are made of along one row, each with the powers of x that the places need.
struct Along {
  Lanes moments[6] = {};        // w, w i, w d, w i i, w d d, w i d
  Lanes slope[3][3][2] = {};    // (w, w i, w d) s_a (1, x)
  Lanes product[3][3][3] = {};  // (w, w i, w d) s_a u_j
  Lanes square[6][3] = {};      // w s_a s_b (1, x, x x), b >= a
};

// The sums of a share of the rows, in the order of `pair_sums`.
struct Sums {
  double moments[6] = {};
  double by_matrix[3][3][4] = {};
  double by_mix[3][3][3] = {};
  double square[6][10] = {};  // s_a s_b q_k q_l, l >= k, with q = (z, y, x, 1)
};

template <int Dim, bool Deep>
void sum_row(const float* fixed, const float* moving, const Layout& layout, const Reading& where, const float* weight,
             float level, int64_t z, int64_t y, Along& sums) {
  const Row row(where, z, y);
  const int64_t nx = where.shape[2], voxels = where.shape[0] * where.shape[1] * nx;
  constexpr int kFirst = 3 - Dim;
  for (int64_t x = 0; x < nx; x += kLanes) {
    const int64_t n = nx - x;
    Lanes p[3] = {}, s[3] = {};
    row.positions<Dim>(x, p);
    const Place at = place<Deep>(p, layout);
    const Reader reader(layout, at.offset, row.backwards());
    reader.prefetch(moving);
    const Corners c = corners<Deep>(moving, layout, reader);
    const Lanes f = load_some(fixed + row.at() + x, n), d = value<Deep>(c, at) - f, i = f - level;
    slopes<Deep>(c, at, s);
    const Whole in = inside<Dim>(p, layout.size) & (ramp() < static_cast<float>(n));
    Lanes w = choose(in, all(1.0f), Lanes{});
    if (weight) w = choose(in, load_some(weight + row.at() + x, n), Lanes{});
    for (int a = kFirst; a < 3; ++a) {  // beyond the outermost voxel centres the edge is repeated: no slope there
      const Whole sloped = (p[a] >= 0.0f) & (p[a] < static_cast<float>(layout.size.n[a] - 1));
      s[a] = choose(sloped, s[a], Lanes{});
    }
    const Lanes parts[3] = {w, w * i, w * d};
    sums.moments[0] += w, sums.moments[1] += parts[1], sums.moments[2] += parts[2];
    sums.moments[3] += parts[1] * i, sums.moments[4] += parts[2] * d, sums.moments[5] += parts[1] * d;
    const Lanes place_x = all(static_cast<float>(x)) + ramp();
    for (int k = 0; k < 3; ++k)
      for (int a = kFirst; a < 3; ++a) {
        const Lanes force = parts[k] * s[a];
        sums.slope[k][a][0] += force;
        sums.slope[k][a][1] += force * place_x;
      }
    for (int j = 0; j < Dim && where.displacement; ++j) {
      const Lanes u = load_some(where.displacement + j * voxels + row.at() + x, n);
      for (int k = 0; k < 3; ++k)
        for (int a = kFirst; a < 3; ++a) sums.product[k][a][j] += parts[k] * s[a] * u;
    }
    int pair = 0;
    for (int a = 0; a < 3; ++a)
      for (int b = a; b < 3; ++b, ++pair) {
        if (a < kFirst) continue;
        const Lanes square = w * s[a] * s[b], moment = square * place_x;
        sums.square[pair][0] += square, sums.square[pair][1] += moment, sums.square[pair][2] += moment * place_x;
      }
  }
}

// Adds one row, with its place along z and y.
void add_row(const Along& row, int64_t z, int64_t y, Sums& into) {
  const double place[2] = {static_cast<double>(z), static_cast<double>(y)};
  for (int k = 0; k < 6; ++k) into.moments[k] += sum(row.moments[k]);
  for (int k = 0; k < 3; ++k)
    for (int a = 0; a < 3; ++a) {
      const double force = sum(row.slope[k][a][0]);
      for (int i = 0; i < 2; ++i) into.by_matrix[k][a][i] += force * place[i];
      into.by_matrix[k][a][2] += sum(row.slope[k][a][1]);
      into.by_matrix[k][a][3] += force;
      for (int j = 0; j < 3; ++j) into.by_mix[k][a][j] += sum(row.product[k][a][j]);
    }
  for (int pair = 0; pair < 6; ++pair) {
    const double one = sum(row.square[pair][0]), x = sum(row.square[pair][1]), xx = sum(row.square[pair][2]);
    double* s = into.square[pair];  // zz zy zx z yy yx y xx x 1
    s[0] += one * place[0] * place[0], s[1] += one * place[0] * place[1], s[2] += x * place[0], s[3] += one * place[0];
    s[4] += one * place[1] * place[1], s[5] += x * place[1], s[6] += one * place[1], s[7] += xx, s[8] += x, s[9] += one;
  }
}

}  // namespace

// sums: 6 moments; (3, dim, dim + 1) by the matrix; (3, dim, dim) by the mix; (dim, dim + 1, dim, dim + 1) the curvature.
void pair_sums(const float* fixed, const float* moving, Grid size, const Reading& where, const float* weight, float level,
               double* sums, int threads) {
  const Layout layout(size);
  const int dim = where.dim, skip = 3 - dim;
  const int64_t ny = where.shape[1], rows = where.shape[0] * ny, shares = (rows + kShare - 1) / kShare;
  const auto one = dim == 2 ? sum_row<2, false> : layout.deep() ? sum_row<3, true> : sum_row<3, false>;
  std::vector<Sums> parts(shares);
  parallel(shares, useful_threads(rows * where.shape[2], threads), [&](int64_t first, int64_t last, int) {
    for (int64_t row = first * kShare; row < std::min(rows, last * kShare); ++row) {
      Along along;
      one(fixed, moving, layout, where, weight, level, row / ny, row % ny, along);
      add_row(along, row / ny, row % ny, parts[row / kShare]);
    }
  });
  Sums total;
  constexpr int kNumbers = sizeof(Sums) / sizeof(double);
  for (const Sums& part : parts)
    for (int k = 0; k < kNumbers; ++k) reinterpret_cast<double*>(&total)[k] += reinterpret_cast<const double*>(&part)[k];
  double* to = std::copy(total.moments, total.moments + 6, sums);
  for (int k = 0; k < 3; ++k)
    for (int a = skip; a < 3; ++a) to = std::copy(total.by_matrix[k][a] + skip, total.by_matrix[k][a] + 4, to);
  for (int k = 0; k < 3; ++k)
    for (int a = skip; a < 3; ++a) to = std::copy(total.by_mix[k][a], total.by_mix[k][a] + dim, to);
  static constexpr int kPair[3][3] = {{0, 1, 2}, {1, 3, 4}, {2, 4, 5}};
  static constexpr int kPlace[4][4] = {{0, 1, 2, 3}, {1, 4, 5, 6}, {2, 5, 7, 8}, {3, 6, 8, 9}};
  for (int a = skip; a < 3; ++a)
    for (int k = skip; k < 4; ++k)
      for (int b = skip; b < 3; ++b)
        for (int l = skip; l < 4; ++l) *to++ = total.square[kPair[a][b]][kPlace[k][l]];
}

}  // namespace PB_ISA
}  // namespace pb

// The mean squared difference of a fixed image and a moving one read linearly at affine-plus-displacement positions, and
// its gradient with respect to those, for images of many channels, such as descriptors: in one reading, and without a
// warped image.
//
// The channels of each voxel lie side by side. Between two places that are far apart there is nothing to keep, so that
// each costs a wait for memory at every corner: of channels one after the other, that would be one for each channel.
// Sixteen channels are read and compared together; the last ones of them may belong to the next voxel, and count for
// nothing. Rows are added up in order, so that the number of threads changes no bit.
#include <algorithm>
#include <vector>

#include "corners.h"
#include "forces.h"
#include "parallel.h"
#include "pullback.h"
#include "rows.h"

namespace pb {
namespace PB_ISA {
namespace {

constexpr int kAhead = 3;  // places between one that is read and one that is asked for

// The sum over lanes, in the same order on every processor.
inline float total(Lanes lanes) {
  typedef float Four __attribute__((vector_size(16)));
  Four part[4];
  std::memcpy(part, &lanes, sizeof lanes);
  const Four four = (part[0] + part[2]) + (part[1] + part[3]);
  return (four[0] + four[2]) + (four[1] + four[3]);
}

// Two images whose channels lie side by side.
struct Compared {
  const float* fixed;
  const float* moving;
  const float* weight;  // of each place, or null
  int channels;
  float scale;  // of the forces

  // 1 for channels from c on that are there, else 0.
  Lanes there(int c) const {
    const Lanes left = all(static_cast<float>(channels - c)) - ramp();
    return clamp(left, Lanes{}, all(1.0f));
  }
};

// Where one place reads: its corners, from the lowest on, in numbers.
struct Steps {
  int64_t corner[8];

  Steps(const Layout& layout, int channels) {
    for (int k = 0; k < 8; ++k)
      corner[k] = static_cast<int64_t>(channels) * ((k & 4 ? layout.sz : 0) + (k & 2 ? layout.sy : 0) + (k & 1 ? layout.sx : 0));
  }
};

template <bool Deep>
inline void ask_for(const float* voxel, const Steps& steps, int channels) {
  for (int k = 0; k < (Deep ? 8 : 4); k += 2)
    for (int c = 0; c < 2 * channels; c += kLanes) __builtin_prefetch(voxel + steps.corner[k] + c);
}

// Adds a place's squared differences to `squares`, and gives the slopes of half of them along the image's axes.
template <bool Deep, bool Sloped>
inline void compare(const Compared& both, const float* voxel, const float* fixed, const Steps& steps, const Place& at,
                    Lanes& squares, Lanes slope[3]) {
  for (int c = 0; c < both.channels; c += kLanes) {
    Corners found;
    for (int k = 0; k < (Deep ? 8 : 4); ++k) found.c[k] = load(voxel + steps.corner[k] + c);
    Lanes apart = value<Deep>(found, at) - load(fixed + c);
    if (c + kLanes > both.channels) apart = choose(both.there(c) > 0.0f, apart, Lanes{});
    squares += apart * apart;
    if (!Sloped) continue;
    Lanes change[3] = {};
    slopes<Deep>(found, at, change);
    for (int i = Deep ? 0 : 1; i < 3; ++i) {
      if (c + kLanes > both.channels) change[i] = choose(both.there(c) > 0.0f, change[i], Lanes{});
      slope[i] += apart * change[i];
    }
  }
}

struct Sixteen {
  alignas(64) int32_t offset[kLanes];
  alignas(64) float t[3][kLanes];
  alignas(64) float force[3][kLanes];
};

// The weighted sum of squares of a row, and the forces on its places.
template <int Dim, bool Deep, bool Sloped>
double compare_row(const Compared& both, const Layout& layout, const Reading& where, float* to_displacement, double* sums,
                   int64_t z, int64_t y) {
  const Row row(where, z, y);
  const Steps steps(layout, both.channels);
  const int64_t nx = where.shape[2], places = where.shape[0] * where.shape[1] * nx, channels = both.channels;
  RowSums<Dim> added(where, row);
  Sixteen block;
  Lanes squares = {};
  for (int64_t x = 0; x < nx; x += kLanes) {
    Lanes p[3] = {};
    row.positions<Dim>(x, p);
    const Place at = place<Deep>(p, layout);
    store_whole(block.offset, at.offset);
    store(block.t[0], at.tz), store(block.t[1], at.ty), store(block.t[2], at.tx);
    for (int i = 0; i < 3; ++i) store(block.force[i], Lanes{});
    const int n = static_cast<int>(std::min<int64_t>(kLanes, nx - x));
    for (int k = 0; k < std::min(n, kAhead); ++k) ask_for<Deep>(both.moving + channels * block.offset[k], steps, both.channels);
    for (int k = 0; k < n; ++k) {
      if (k + kAhead < n) ask_for<Deep>(both.moving + channels * block.offset[k + kAhead], steps, both.channels);
      const int64_t here = row.at() + x + k;
      const float w = both.weight ? both.weight[here] : 1.0f;
      if (w == 0.0f) continue;
      const Place one = {Whole{}, all(block.t[0][k]), all(block.t[1][k]), all(block.t[2][k])};
      Lanes apart = {}, slope[3] = {};
      compare<Deep, Sloped>(both, both.moving + channels * block.offset[k], both.fixed + channels * here, steps, one,
                            apart, slope);
      squares += w * apart;
      for (int i = Deep ? 0 : 1; Sloped && i < 3; ++i) block.force[i][k] = both.scale * w * total(slope[i]);
    }
    if (!Sloped) continue;
    Lanes force[3] = {load(block.force[0]), load(block.force[1]), load(block.force[2])};
    flatten_outside<Dim>(p, layout, 1, force);
    if (to_displacement)
      for (int j = 0; j < Dim; ++j)
        store_some(to_displacement + j * places + row.at() + x, row.on_displacement<Dim>(force, j), nx - x);
    if (sums) added.add(force, x);
  }
  if (sums) added.store(sums);
  return total(squares);
}

template <bool Sloped>
auto row_of(const Reading& where, const Layout& layout) {
  return where.dim == 2 ? compare_row<2, false, Sloped>
                        : layout.deep() ? compare_row<3, true, Sloped> : compare_row<3, false, Sloped>;
}

}  // namespace

// The weighted sum of squared differences. Forces: `scale` times half its slope.
double sampled_mse(const float* fixed, const float* moving, Grid size, int channels, const Reading& where,
                   const float* weight, float scale, float* to_displacement, double* to_matrix, double* to_mix,
                   int threads) {
  const Layout layout(size);
  const Compared both{fixed, moving, weight, channels, scale};
  const auto rows = to_displacement || to_matrix ? row_of<true>(where, layout) : row_of<false>(where, layout);
  std::vector<double> squares(where.shape[0] * where.shape[1]);
  const auto one = [&](int64_t z, int64_t y, double* sums) {
    squares[z * where.shape[1] + y] = rows(both, layout, where, to_displacement, sums, z, y);
  };
  if (to_matrix)
    to_matrices(where, to_matrix, to_mix, threads, one);
  else
    each_row(where, threads, [&](int64_t z, int64_t y) { one(z, y, nullptr); });
  double sum = 0.0;
  for (const double row : squares) sum += row;
  return sum;
}

}  // namespace PB_ISA
}  // namespace pb

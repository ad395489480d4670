// Cubic B-splines of a control grid at affine-plus-displacement places: values, gradient with respect to the places, and
// the exact transpose of the values, which is the gradient with respect to the coefficients.
//
// The control grid is first copied into a net: continued by two points beyond each end, as if its edge went on, and with
// four channels side by side. The four control points along x that matter to a place are then sixteen numbers in a row:
// one register, weighted by y and z as it is read, by x once at the end. A net is small beside the places.
//
// The transpose adds to a net. The places are cut into parts that depend on sizes alone; each part adds to a copy of the
// planes of the net that it touches, and the copies are added up in order: the number of threads changes no bit.
#include <algorithm>
#include <vector>

#include "parallel.h"
#include "pullback.h"
#include "rows.h"

namespace pb {
namespace PB_ISA {
namespace {

constexpr int kAbreast = 4;         // channels side by side
constexpr int64_t kEach = 8192;     // places that are worth a copy of the net
constexpr int64_t kMostParts = 32;

typedef float Four __attribute__((vector_size(16)));

// a a a a b b b b c c c c d d d d
inline Lanes each_four_times(const float from[4]) {
#if defined(__AVX512F__)
  const __m512i index = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
  return _mm512_permutexvar_ps(index, _mm512_castps128_ps512(_mm_loadu_ps(from)));
#else
  const float a = from[0], b = from[1], c = from[2], d = from[3];
  return Lanes{a, a, a, a, b, b, b, b, c, c, c, c, d, d, d, d};
#endif
}

// a b c d a b c d a b c d a b c d
inline Lanes all_four_times(const float from[4]) {
#if defined(__AVX512F__)
  return _mm512_broadcast_f32x4(_mm_loadu_ps(from));
#else
  const float a = from[0], b = from[1], c = from[2], d = from[3];
  return Lanes{a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d};
#endif
}

// Of four control points with four channels each, the sum for each channel.
inline Four over_points(Lanes lanes) {
  Four part[4];
  std::memcpy(part, &lanes, sizeof lanes);
  return (part[0] + part[2]) + (part[1] + part[3]);
}

// The control grid as the kernels read it. Along y and z an axis of one point is not continued: it has one tap.
struct Net {
  explicit Net(Grid control) : control(control) {
    int64_t step = kAbreast;
    for (int a = 2; a >= 0; --a) {
      taps[a] = a < 2 && control.n[a] == 1 ? 1 : 4;
      n[a] = taps[a] == 1 ? 1 : control.n[a] + 4;
      stride[a] = step;
      step *= n[a];
    }
    count = step;
    span = (taps[0] - 1) * stride[0] + (taps[1] - 1) * stride[1] + kLanes;
  }

  // body(offset in the net, index in the control grid) for every point of the net, in order.
  template <class Body>
  void each_point(const Body& body) const {
    int64_t at = 0;
    for (int64_t z = 0; z < n[0]; ++z)
      for (int64_t y = 0; y < n[1]; ++y) {
        const int64_t row = (inside(z, 0) * control.n[1] + inside(y, 1)) * control.n[2];
        for (int64_t x = 0; x < n[2]; ++x, at += kAbreast) body(at, row + inside(x, 2));
      }
  }

  int64_t inside(int64_t i, int axis) const {
    return taps[axis] == 1 ? 0 : std::min(std::max<int64_t>(i - 2, 0), control.n[axis] - 1);
  }

  Grid control;
  int taps[3];
  int64_t n[3], stride[3], count, span;  // count and span (what one place reads) in numbers
};

std::vector<float> filled(const Net& net, const float* coefficients, int channels) {
  std::vector<float> numbers(net.count, 0.0f);
  const int64_t size = net.control.count();
  for (int c = 0; c < channels; ++c)
    net.each_point([&](int64_t at, int64_t from) { numbers[at + c] = coefficients[c * size + from]; });
  return numbers;
}

void folded(const Net& net, const std::vector<float>& numbers, int channels, float* coefficients) {
  const int64_t size = net.control.count();
  std::fill(coefficients, coefficients + channels * size, 0.0f);
  for (int c = 0; c < channels; ++c)
    net.each_point([&](int64_t at, int64_t into) { coefficients[c * size + into] += numbers[at + c]; });
}

// What sixteen places read: from where on, and the weights (or their slopes) of the taps; along x by place.
struct Tile {
  alignas(64) int32_t offset[kLanes];
  alignas(64) float weight[3][4][kLanes];
  alignas(64) float slope[3][4][kLanes];
  alignas(64) float x_weight[kLanes][4];
  alignas(64) float x_slope[kLanes][4];
};

inline void weights(Lanes t, float into[4][kLanes]) {
  const Lanes u = 1.0f - t, sixth = all(1.0f / 6.0f);
  store(into[0], sixth * u * u * u);
  store(into[1], sixth * (4.0f + t * t * (3.0f * t - 6.0f)));
  store(into[2], sixth * (4.0f + u * u * (3.0f * u - 6.0f)));
  store(into[3], sixth * t * t * t);
}

// Beyond the ends, where nothing changes any more, `on` is 0, else a half.
inline void slopes(Lanes t, Lanes on, float into[4][kLanes]) {
  const Lanes u = 1.0f - t;
  store(into[0], -on * u * u);
  store(into[1], on * t * (3.0f * t - 4.0f));
  store(into[2], -on * u * (3.0f * u - 4.0f));
  store(into[3], on * t * t);
}

inline void by_place(const float from[4][kLanes], float into[kLanes][4]) {
  for (int k = 0; k < kLanes; ++k)
    for (int t = 0; t < 4; ++t) into[k][t] = from[t][k];
}

// Beyond -1 and m a spline of m control points is constant: positions are clamped there.
template <bool Slopes>
void lay(const Net& net, const Lanes p[3], Tile& tile) {
  Whole offset = {};
  for (int a = 0; a < 3; ++a) {
    if (net.taps[a] == 1) continue;
    const int32_t m = static_cast<int32_t>(net.control.n[a]);
    const Lanes low = all(-1.0f), high = all(static_cast<float>(m)), q = clamp(p[a], low, high);
    const Whole above = truncate(q + 1.0f), i = above < m ? above : all(m);
    const Lanes t = q - (number(i) - 1.0f);
    offset += i * static_cast<int32_t>(net.stride[a]);
    weights(t, tile.weight[a]);
    if (Slopes) slopes(t, choose((p[a] >= low) & (p[a] <= high) & all(-(m > 1)), all(0.5f), Lanes{}), tile.slope[a]);
  }
  store_whole(tile.offset, offset);
  by_place(tile.weight[2], tile.x_weight);
  if (Slopes) by_place(tile.slope[2], tile.x_slope);
}

constexpr int64_t kBlock = 256;  // places of a row that a thread takes at once

int64_t blocks_of(const Reading& where) {
  return where.shape[0] * where.shape[1] * ((where.shape[2] + kBlock - 1) / kBlock);
}

// body(positions, offset of the first of them, how many) for sixteen places after sixteen of the blocks [first, last).
template <class Body>
void each_tile(const Reading& where, int64_t first, int64_t last, const Body& body) {
  const int64_t ny = where.shape[1], nx = where.shape[2], per_row = (nx + kBlock - 1) / kBlock;
  for (int64_t block = first; block < last; ++block) {
    const int64_t line = block / per_row, begin = block % per_row * kBlock, end = std::min(nx, begin + kBlock);
    const Row row(where, line / ny, line % ny);
    for (int64_t x = begin; x < end; x += kLanes) {
      Lanes p[3] = {};
      where.dim == 2 ? row.positions<2>(x, p) : row.positions<3>(x, p);
      body(p, row.at() + x, static_cast<int>(std::min<int64_t>(kLanes, end - x)));
    }
  }
}

// The sums over the sixteen rows of one place, before they are weighted along x: plain, and with slopes along y and z.
struct Rows {
  Lanes plain, by_y, by_z;
};

template <int Deep, int High, bool Slopes>
inline Rows weighed(const Net& net, const float* from, const Tile& tile, int k) {
  Rows total = {};
  for (int i = 0; i < Deep; ++i) {
    Lanes value = {}, change = {};
    for (int j = 0; j < High; ++j) {
      const Lanes row = load(from + i * net.stride[0] + j * net.stride[1]);
      value += High == 1 ? row : tile.weight[1][j][k] * row;
      if (Slopes && High > 1) change += tile.slope[1][j][k] * row;
    }
    total.plain += Deep == 1 ? value : tile.weight[0][i][k] * value;
    if (Slopes) total.by_y += Deep == 1 ? change : tile.weight[0][i][k] * change;
    if (Slopes && Deep > 1) total.by_z += tile.slope[0][i][k] * value;
  }
  return total;
}

template <int Deep, int High>
void values_of(const Net& net, const float* numbers, const Tile& tile, int n, float into[kLanes][4]) {
  for (int k = 0; k < n; ++k) {
    const Rows rows = weighed<Deep, High, false>(net, numbers + tile.offset[k], tile, k);
    const Four value = over_points(each_four_times(tile.x_weight[k]) * rows.plain);
    std::memcpy(into[k], &value, sizeof value);
  }
}

// force[axis] of each place: the sum over channels of gradient times slope.
template <int Deep, int High>
void forces_of(const Net& net, const float* numbers, const Tile& tile, int n, const float gradient[kLanes][4],
               float force[3][kLanes]) {
  for (int k = 0; k < n; ++k) {
    const Rows rows = weighed<Deep, High, true>(net, numbers + tile.offset[k], tile, k);
    const Lanes along = each_four_times(tile.x_weight[k]);
    const Four slope[3] = {over_points(along * rows.by_z), over_points(along * rows.by_y),
                           over_points(each_four_times(tile.x_slope[k]) * rows.plain)};
    const float* g = gradient[k];
    for (int a = 0; a < 3; ++a)
      force[a][k] += (g[0] * slope[a][0] + g[1] * slope[a][1]) + (g[2] * slope[a][2] + g[3] * slope[a][3]);
  }
}

template <int Deep, int High>
void add_to(const Net& net, float* numbers, const Tile& tile, int n, const float gradient[kLanes][4]) {
  for (int k = 0; k < n; ++k) {
    const Lanes share = each_four_times(tile.x_weight[k]) * all_four_times(gradient[k]);
    float* to = numbers + tile.offset[k];
    for (int i = 0; i < Deep; ++i) {
      const Lanes plane = Deep == 1 ? share : tile.weight[0][i][k] * share;
      for (int j = 0; j < High; ++j) {
        float* row = to + i * net.stride[0] + j * net.stride[1];
        store(row, load(row) + (High == 1 ? plane : tile.weight[1][j][k] * plane));
      }
    }
  }
}

#define PB_BY_TAPS(function, net)                                                                    \
  ((net).taps[0] == 4 ? ((net).taps[1] == 4 ? function<4, 4> : function<4, 1>)                       \
                      : ((net).taps[1] == 4 ? function<1, 4> : function<1, 1>))

// The gradients of sixteen places, four channels side by side; 0 for channels that are not there.
void gradients_of(const float* gradient, int64_t places, int channels, int64_t at, int n, float into[kLanes][4]) {
  for (int k = 0; k < n; ++k)
    for (int c = 0; c < kAbreast; ++c) into[k][c] = c < channels ? gradient[c * places + at + k] : 0.0f;
}

int64_t places_of(const Reading& where) { return where.shape[0] * where.shape[1] * where.shape[2]; }

// A place is more work than a voxel is to most kernels.
int threads_for(int64_t places, int threads) { return useful_threads(4 * places, threads); }

// Some of the places, and what they add to the net from `low` on.
struct Part {
  int64_t first, last, low = 0;
  std::vector<float> numbers;
};

std::vector<Part> parts_for(const Reading& where, const Net& net) {
  const int64_t places = places_of(where), blocks = blocks_of(where);
  const int64_t worth = std::min(places / kEach, 16 * places / net.count);  // copies cost less than the places do
  const int64_t count = std::max<int64_t>(1, std::min(std::min(worth, kMostParts), blocks));
  std::vector<Part> parts;
  for (int64_t k = 0; k < count; ++k) parts.push_back({blocks * k / count, blocks * (k + 1) / count, 0, {}});
  return parts;
}

// The part's own copy of as much of the net as its places touch, empty as yet.
void reserve(const Reading& where, const Net& net, Part& part) {
  Tile tile;
  int32_t low = static_cast<int32_t>(net.count), high = 0;
  each_tile(where, part.first, part.last, [&](const Lanes p[3], int64_t, int n) {
    lay<false>(net, p, tile);
    for (int k = 0; k < n; ++k) low = std::min(low, tile.offset[k]), high = std::max(high, tile.offset[k]);
  });
  if (low > high) return;
  part.low = low;
  part.numbers.assign(high - low + net.span, 0.0f);
}

}  // namespace

void ffd_sample(const float* coefficients, Grid control, int channels, const Reading& where, float* values, int threads) {
  const Net net(control);
  const int64_t places = places_of(where);
  const auto some_values = PB_BY_TAPS(values_of, net);
  for (int c0 = 0; c0 < channels; c0 += kAbreast) {
    const int some = std::min(kAbreast, channels - c0);
    const std::vector<float> numbers = filled(net, coefficients + c0 * control.count(), some);
    parallel(blocks_of(where), threads_for(places, threads), [&](int64_t first, int64_t last, int) {
      Tile tile;
      float found[kLanes][4];
      each_tile(where, first, last, [&](const Lanes p[3], int64_t at, int n) {
        lay<false>(net, p, tile);
        some_values(net, numbers.data(), tile, n, found);
        for (int c = 0; c < some; ++c)
          for (int k = 0; k < n; ++k) values[(c0 + c) * places + at + k] = found[k][c];
      });
    });
  }
}

void ffd_sample_backward(const float* coefficients, Grid control, int channels, const Reading& where,
                         const float* gradient, float* to_displacement, int threads) {
  const Net net(control);
  const int64_t places = places_of(where);
  const int dim = where.dim, skip = 3 - dim;
  const auto some_forces = PB_BY_TAPS(forces_of, net);
  std::fill(to_displacement, to_displacement + dim * places, 0.0f);
  for (int c0 = 0; c0 < channels; c0 += kAbreast) {
    const int some = std::min(kAbreast, channels - c0);
    const std::vector<float> numbers = filled(net, coefficients + c0 * control.count(), some);
    parallel(blocks_of(where), threads_for(places, threads), [&](int64_t first, int64_t last, int) {
      Tile tile;
      float upstream[kLanes][4];
      each_tile(where, first, last, [&](const Lanes p[3], int64_t at, int n) {
        float force[3][kLanes] = {};
        lay<true>(net, p, tile);
        gradients_of(gradient + c0 * places, places, some, at, n, upstream);
        some_forces(net, numbers.data(), tile, n, upstream, force);
        for (int j = 0; j < dim; ++j)
          for (int i = 0; i < dim; ++i) {
            const float m = static_cast<float>(where.mix[i * dim + j]);
            for (int k = 0; k < n; ++k) to_displacement[j * places + at + k] += m * force[i + skip][k];
          }
      });
    });
  }
}

void ffd_sample_adjoint(float* coefficients, Grid control, int channels, const Reading& where, const float* gradient,
                        int threads) {
  const Net net(control);
  const int64_t places = places_of(where);
  const auto add_some = PB_BY_TAPS(add_to, net);
  for (int c0 = 0; c0 < channels; c0 += kAbreast) {
    const int some = std::min(kAbreast, channels - c0);
    std::vector<Part> parts = parts_for(where, net);
    parallel(static_cast<int64_t>(parts.size()), threads_for(places, threads), [&](int64_t first, int64_t last, int) {
      Tile tile;
      float upstream[kLanes][4];
      for (int64_t k = first; k < last; ++k) {
        Part& part = parts[k];
        reserve(where, net, part);
        each_tile(where, part.first, part.last, [&](const Lanes p[3], int64_t at, int n) {
          lay<false>(net, p, tile);
          gradients_of(gradient + c0 * places, places, some, at, n, upstream);
          add_some(net, part.numbers.data() - part.low, tile, n, upstream);
        });
      }
    });
    std::vector<float> numbers(net.count, 0.0f);
    for (const Part& part : parts)
      for (size_t i = 0; i < part.numbers.size(); ++i) numbers[part.low + i] += part.numbers[i];
    folded(net, numbers, some, coefficients + c0 * control.count());
  }
}

}  // namespace PB_ISA
}  // namespace pb

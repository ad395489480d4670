// Signed local normalised cross-correlation and its exact gradient with respect to the warped image, in one sweep.
//
// Within a band of rows, sums over the box run along z (one plane enters, one leaves), then are added up over y and x.
// From them come, at every voxel x, the coefficients a, b, c with
//     d loss / d J(y) = w(y) [ I(y) box(a)(y) + J(y) box(b)(y) + box(c)(y) ],
// which run through a second box in the same sweep, 2 radius planes behind. A row is worked out in one way in
// whatever band it lies, so that the number of threads changes no bit; inputs are read twice (in and out), nothing but
// the gradient is written.
//
// Rows of the buffers are whole vectors long, with zeros beyond the image and one vector of zeros before it, so that
// boxes along x are sums of shifted registers.
#include <algorithm>
#include <vector>

#include "parallel.h"
#include "pullback.h"
#include "simd.h"

namespace pb {
namespace PB_ISA {
namespace {

constexpr int64_t kMostRows = 48, kFewestRows = 16;  // of a band: all that it sums fits in the second-level cache

struct Problem {
  const float *fixed, *warped, *weight;
  Grid size;
  int rz, ry, rx;
  float level, floor, doubt;
  double total;
};

// Sum of 2 R + 1 neighbours along x, for sixteen voxels; any radius if R is negative.
template <int R>
inline Lanes box(const float* row, int r) {
  if constexpr (R == 0) return load(row);
  if constexpr (R > 0) {
    const Lanes before = load(row - kLanes), here = load(row), after = load(row + kLanes);
    Lanes sum = here + (shifted<kLanes - 1>(before, here) + shifted<1>(here, after));
    if constexpr (R > 1) sum += shifted<kLanes - 2>(before, here) + shifted<2>(here, after);
    if constexpr (R > 2) sum += shifted<kLanes - 3>(before, here) + shifted<3>(here, after);
    if constexpr (R > 3) sum += shifted<kLanes - 4>(before, here) + shifted<4>(here, after);
    return sum;
  }
  Lanes sum = load(row);
  for (int k = 1; k <= r; ++k) sum += load(row - k) + load(row + k);
  return sum;
}

// into[x] = the sum of rows [first, last) of a plane.
inline void add_rows(const float* plane, int64_t first, int64_t last, int64_t pitch, int64_t n, float* into) {
  for (int64_t x = 0; x < n; x += kLanes) {
    Lanes sum = load(plane + first * pitch + x);
    for (int64_t y = first + 1; y < last; ++y) sum += load(plane + y * pitch + x);
    store(into + x, sum);
  }
}

struct Moments {
  Lanes i, j, ii, jj, ij, n;
};

template <bool Weighted, int RX>
class Band {
 public:
  static constexpr int kSums = Weighted ? 6 : 5;

  Band(const Problem& problem, int64_t y0, int64_t y1)
      : p_(problem), ny_(problem.size.n[1]), nx_(problem.size.n[2]), wide_((nx_ + kLanes - 1) / kLanes * kLanes),
        y0_(y0), y1_(y1), m0_(std::max<int64_t>(0, y0 - problem.ry)), m1_(std::min(ny_, y1 + problem.ry)),
        s0_(std::max<int64_t>(0, m0_ - problem.ry)), s1_(std::min(ny_, m1_ + problem.ry)), slots_(2 * problem.rz + 1),
        margin_(std::max(kLanes, problem.rx)), pitch_(wide_ + 2 * margin_), sums_(kSums * (s1_ - s0_) * wide_, 0.0f),
        totals_(3 * (m1_ - m0_) * wide_, 0.0f), ring_(3 * slots_ * (m1_ - m0_) * wide_, 0.0f), rows_(6 * pitch_, 0.0f),
        shares_(wide_, 0.0f) {
    for (int64_t x = 0; x < nx_; ++x)
      shares_[x] = 1.0f / static_cast<float>(std::min(x + p_.rx, nx_ - 1) - std::max<int64_t>(x - p_.rx, 0) + 1);
  }

  // The gradient, and each row's part of the loss.
  void run(float* gradient, double* losses) {
    const int64_t nz = p_.size.n[0];
    for (int64_t i = 0; i < nz + 2 * p_.rz; ++i) {
      const bool enters = i < nz, leaves = i >= slots_ && i - slots_ < nz;
      if (enters && leaves) turn_sums<true, true>(i);
      if (enters && !leaves) turn_sums<true, false>(i);
      if (!enters && leaves) turn_sums<false, true>(i);
      const int64_t centre = i - p_.rz, out = centre - p_.rz;
      if (centre >= 0 && centre < nz) coefficients(centre, losses);
      if (centre >= nz && centre - slots_ >= 0) leave_totals(centre - slots_);
      if (gradient && out >= 0 && out < nz) write_gradient(out, gradient);
    }
  }

 private:
  // One plane's products enter the running sums, and those of the plane slots_ before leave them.
  template <bool Enters, bool Leaves>
  void turn_sums(int64_t z) {
    const int64_t field = (s1_ - s0_) * wide_, behind = slots_ * ny_ * nx_;
    for (int64_t y = s0_; y < s1_; ++y) {
      const int64_t at = (z * ny_ + y) * nx_;
      float* s = sums_.data() + (y - s0_) * wide_;
      for (int64_t x = 0; x < nx_; x += kLanes) {
        Moments m = {};
        if (Enters) m = products(at + x, nx_ - x);
        if (Leaves) {
          const Moments old = products(at - behind + x, nx_ - x);
          m.i -= old.i, m.j -= old.j, m.ii -= old.ii, m.jj -= old.jj, m.ij -= old.ij, m.n -= old.n;
        }
        add(s + x, m.i), add(s + field + x, m.j), add(s + 2 * field + x, m.ii), add(s + 3 * field + x, m.jj);
        add(s + 4 * field + x, m.ij);
        if (Weighted) add(s + 5 * field + x, m.n);
      }
    }
  }

  static void add(float* to, Lanes value) { store(to, load(to) + value); }

  Moments products(int64_t at, int64_t n) const {
    Moments m;
    m.i = load_some(p_.fixed + at, n) - p_.level;
    m.j = load_some(p_.warped + at, n) - p_.level;
    if (n < kLanes) {  // lanes beyond the image stay 0
      const Whole in = ramp() < static_cast<float>(n);
      m.i = choose(in, m.i, Lanes{});
      m.j = choose(in, m.j, Lanes{});
    }
    if (Weighted) {
      m.n = load_some(p_.weight + at, n);
      const Lanes wi = m.n * m.i, wj = m.n * m.j;
      m.ii = wi * m.i, m.jj = wj * m.j, m.ij = wi * m.j;
      m.i = wi, m.j = wj;
    } else {
      m.n = Lanes{};
      m.ii = m.i * m.i, m.jj = m.j * m.j, m.ij = m.i * m.j;
    }
    return m;
  }

  float* slot(int64_t z) { return ring_.data() + (z % slots_) * 3 * (m1_ - m0_) * wide_; }

  void leave_totals(int64_t z) {
    const float* old = slot(z);
    for (size_t k = 0; k < totals_.size(); ++k) totals_[k] -= old[k];
  }

  // The coefficients of plane z, into the ring (where they take the place of the plane that leaves) and the running
  // totals.
  void coefficients(int64_t z, double* losses) {
    const int64_t rows = s1_ - s0_;
    const float deep = static_cast<float>(std::min(z + p_.rz, p_.size.n[0] - 1) - std::max<int64_t>(z - p_.rz, 0) + 1);
    for (int64_t y = m0_; y < m1_; ++y) {
      const int64_t first = std::max<int64_t>(y - p_.ry, 0), last = std::min(y + p_.ry + 1, ny_);
      for (int f = 0; f < kSums; ++f)
        add_rows(sums_.data() + f * rows * wide_, first - s0_, last - s0_, wide_, wide_, row(f));
      const float share = 1.0f / (deep * static_cast<float>(last - first));
      const float part = coefficient_row(z, y, share);
      if (y >= y0_ && y < y1_) losses[y] += part;
    }
  }

  float coefficient_row(int64_t z, int64_t y, float share) {
    const int64_t field = (m1_ - m0_) * wide_, at = (z * ny_ + y) * nx_;
    float *into = slot(z) + (y - m0_) * wide_, *total = totals_.data() + (y - m0_) * wide_;
    const float scale = static_cast<float>(-1.0 / p_.total), least = p_.floor;
    Lanes part = {};
    for (int64_t x = 0; x < nx_; x += kLanes) {
      const Lanes w = Weighted ? load_some(p_.weight + at + x, nx_ - x) : choose(load(shares_.data() + x) > 0.0f, all(1.0f), Lanes{});
      const Lanes r = Weighted ? 1.0f / larger(boxed(5, x), all(1e-6f)) : share * load(shares_.data() + x);
      const Lanes mi = boxed(0, x) * r, mj = boxed(1, x) * r, cov = boxed(4, x) * r - mi * mj + least;
      const Lanes raw = boxed(3, x) * r - mj * mj;
      const Lanes ei = larger(boxed(2, x) * r - mi * mi, Lanes{}) + least, ej = larger(raw, Lanes{}) + least;
      const Lanes d = 1.0f / (ei * ej), size = absolute(cov), s = cov * size * d;
      Lanes g = scale * w, fit = s;
      if (p_.doubt > 0.0f) {  // r = 1 - s counts as (1 + doubt) r / (1 + doubt r)
        const Lanes share = 1.0f / (1.0f + p_.doubt * (1.0f - s));
        fit = 1.0f - (1.0f + p_.doubt) * (1.0f - s) * share;
        g *= (1.0f + p_.doubt) * share * share;
      }
      const Lanes a = g * 2.0f * size * d * r;
      const Lanes b = choose(raw > 0.0f, -2.0f * g * s * ei * d * r, Lanes{});
      const Lanes c = -(a * mi + b * mj);
      replace(into + x, total + x, a), replace(into + field + x, total + field + x, b);
      replace(into + 2 * field + x, total + 2 * field + x, c);
      part += w * fit;
    }
    return sum(part);
  }

  // A new value in the ring; the totals gain it and lose the old one.
  static void replace(float* slot, float* total, Lanes value) {
    add(total, value - load(slot));
    store(slot, value);
  }

  float* row(int field) { return rows_.data() + field * pitch_ + margin_; }
  Lanes boxed(int field, int64_t x) { return box<RX>(row(field) + x, p_.rx); }

  void write_gradient(int64_t z, float* gradient) {
    const int64_t field = (m1_ - m0_) * wide_;
    for (int64_t y = y0_; y < y1_; ++y) {
      const int64_t first = std::max<int64_t>(y - p_.ry, 0) - m0_, last = std::min(y + p_.ry + 1, ny_) - m0_;
      for (int f = 0; f < 3; ++f) add_rows(totals_.data() + f * field, first, last, wide_, wide_, row(f));
      const int64_t at = (z * ny_ + y) * nx_;
      for (int64_t x = 0; x < nx_; x += kLanes) {
        const int64_t n = nx_ - x;
        const Lanes i = load_some(p_.fixed + at + x, n) - p_.level, j = load_some(p_.warped + at + x, n) - p_.level;
        Lanes g = i * boxed(0, x) + j * boxed(1, x) + boxed(2, x);
        if (Weighted) g *= load_some(p_.weight + at + x, n);
        store_some(gradient + at + x, g, n);
      }
    }
  }

  const Problem& p_;
  int64_t ny_, nx_, wide_;  // wide_: nx_ in whole vectors
  int64_t y0_, y1_;
  int64_t m0_, m1_;  // rows whose coefficients the band needs
  int64_t s0_, s1_;  // rows whose products those need
  int64_t slots_, margin_, pitch_;
  std::vector<float> sums_, totals_, ring_, rows_, shares_;
};

template <bool Weighted>
void band(const Problem& problem, int64_t y0, int64_t y1, float* gradient, double* losses) {
  switch (problem.rx) {
    case 0: return Band<Weighted, 0>(problem, y0, y1).run(gradient, losses);
    case 1: return Band<Weighted, 1>(problem, y0, y1).run(gradient, losses);
    case 2: return Band<Weighted, 2>(problem, y0, y1).run(gradient, losses);
    case 3: return Band<Weighted, 3>(problem, y0, y1).run(gradient, losses);
    case 4: return Band<Weighted, 4>(problem, y0, y1).run(gradient, losses);
    default: return Band<Weighted, -1>(problem, y0, y1).run(gradient, losses);
  }
}

}  // namespace

double lncc(const float* fixed, const float* warped, const float* weight, Grid size, const int radius[3], float level,
            float floor, float doubt, double total, float* gradient, int threads) {
  const Problem problem{fixed, warped, weight, size, radius[0], radius[1], radius[2], level, floor, doubt, total};
  const int64_t ny = size.n[1];
  std::vector<double> losses(ny, 0.0);
  threads = useful_threads(size.count(), threads);
  const int64_t fewest = (ny + kMostRows - 1) / kMostRows, turns = threads > 1 ? 2 * threads : 1;
  const int64_t bands = std::max<int64_t>(1, std::min(std::max(fewest, (fewest + turns - 1) / turns * turns), ny / kFewestRows));
  parallel(bands, threads, [&](int64_t first, int64_t last, int) {
    for (int64_t k = first; k < last; ++k) {
      const int64_t y0 = ny * k / bands, y1 = ny * (k + 1) / bands;
      weight ? band<true>(problem, y0, y1, gradient, losses.data()) : band<false>(problem, y0, y1, gradient, losses.data());
    }
  });
  double sum = 0;
  for (const double loss : losses) sum += loss;
  return 1.0 - sum / total;
}

}  // namespace PB_ISA
}  // namespace pb

// Signed local normalised cross-correlation and its exact gradient with respect to the warped image, in one sweep.
//
// Within a band of rows, sums over the box run along z (one plane enters, one leaves), then are added up over y and x.
// From them come, at every voxel x, the coefficients a, b, c with
//     d loss / d J(y) = w(y) [ I(y) box(a)(y) + J(y) box(b)(y) + box(c)(y) ],
// which run through a second box in the same sweep, 2 radius planes behind. Bands have a set height, so that the number
// of threads changes no bit; inputs are read twice (in and out), nothing but the gradient is written.
#include <algorithm>
#include <cmath>
#include <vector>

#include "parallel.h"
#include "pullback.h"

namespace pb {
namespace PB_ISA {
namespace {

constexpr float kFloor = 1e-3f;  // as FLOOR in the reference
constexpr int64_t kBandRows = 48;

struct Problem {
  const float *fixed, *warped, *weight;
  Grid size;
  int rz, ry, rx;
  float level;
  double total;
};

// Sum of 2r + 1 neighbours along x; `row` has r zeros before its first and after its last value.
inline void box_x(const float* row, int r, int64_t n, float* out) {
  const float* p = row - r;
  switch (r) {
    case 0: for (int64_t x = 0; x < n; ++x) out[x] = p[x]; return;
    case 1: for (int64_t x = 0; x < n; ++x) out[x] = p[x] + p[x + 1] + p[x + 2]; return;
    case 2: for (int64_t x = 0; x < n; ++x) out[x] = (p[x] + p[x + 1]) + (p[x + 2] + p[x + 3]) + p[x + 4]; return;
  }
  for (int64_t x = 0; x < n; ++x) out[x] = p[x];
  for (int k = 1; k + 1 <= 2 * r; k += 2)
    for (int64_t x = 0; x < n; ++x) out[x] += p[x + k] + p[x + k + 1];
}

inline void add_rows(const float* plane, int64_t first, int64_t last, int64_t pitch, int64_t n, float* out) {
  const float* p = plane + first * pitch;
  for (int64_t x = 0; x < n; ++x) out[x] = p[x];
  int64_t y = first + 1;
  for (; y + 1 < last; y += 2) {
    const float *a = plane + y * pitch, *b = a + pitch;
    for (int64_t x = 0; x < n; ++x) out[x] += a[x] + b[x];
  }
  if (y < last)
    for (int64_t x = 0; x < n; ++x) out[x] += plane[y * pitch + x];
}

template <bool Weighted>
class Band {
 public:
  static constexpr int kSums = Weighted ? 6 : 5;

  Band(const Problem& problem, int64_t y0, int64_t y1)
      : p_(problem), y0_(y0), y1_(y1), nx_(problem.size.n[2]),
        m0_(std::max<int64_t>(0, y0 - problem.ry)), m1_(std::min(problem.size.n[1], y1 + problem.ry)),
        s0_(std::max<int64_t>(0, m0_ - problem.ry)), s1_(std::min(problem.size.n[1], m1_ + problem.ry)),
        slots_(2 * problem.rz + 1),
        sums_(kSums * (s1_ - s0_) * nx_, 0.0f), totals_(3 * (m1_ - m0_) * nx_, 0.0f),
        ring_(3 * slots_ * (m1_ - m0_) * nx_, 0.0f),
        padded_(nx_ + 2 * problem.rx + 16, 0.0f), boxes_(kSums * nx_), counts_(nx_) {
    for (int64_t x = 0; x < nx_; ++x)
      counts_[x] = static_cast<float>(std::min(x + p_.rx, nx_ - 1) - std::max<int64_t>(x - p_.rx, 0) + 1);
  }

  double run(float* gradient) {
    const int64_t nz = p_.size.n[0];
    double loss = 0;
    for (int64_t i = 0; i < nz + 2 * p_.rz; ++i) {
      if (i < nz) turn_sums(i, 1.0f);
      if (i - slots_ >= 0 && i - slots_ < nz) turn_sums(i - slots_, -1.0f);
      const int64_t centre = i - p_.rz, out = centre - p_.rz;
      if (centre - slots_ >= 0) leave_totals(centre - slots_);
      if (centre >= 0 && centre < nz) loss += coefficients(centre);
      if (gradient && out >= 0 && out < nz) write_gradient(out, gradient);
    }
    return loss;
  }

 private:
  // Add a plane's products to the running sums, or take them away.
  void turn_sums(int64_t z, float sign) {
    const int64_t plane = p_.size.n[1] * nx_, rows = s1_ - s0_;
    for (int64_t y = s0_; y < s1_; ++y) {
      const int64_t at = z * plane + y * nx_;
      const float *fi = p_.fixed + at, *fj = p_.warped + at, *fw = Weighted ? p_.weight + at : nullptr;
      float* s = sums_.data() + (y - s0_) * nx_;
      float *si = s, *sj = s + rows * nx_, *sii = s + 2 * rows * nx_, *sjj = s + 3 * rows * nx_, *sij = s + 4 * rows * nx_;
      float* sw = Weighted ? s + 5 * rows * nx_ : nullptr;
      const float level = p_.level;
      for (int64_t x = 0; x < nx_; ++x) {
        const float a = fi[x] - level, b = fj[x] - level, w = Weighted ? sign * fw[x] : sign;
        const float wa = w * a, wb = w * b;
        si[x] += wa;
        sj[x] += wb;
        sii[x] += wa * a;
        sjj[x] += wb * b;
        sij[x] += wa * b;
        if (Weighted) sw[x] += w;
      }
    }
  }

  float* slot(int64_t z) { return ring_.data() + (z % slots_) * 3 * (m1_ - m0_) * nx_; }

  void leave_totals(int64_t z) {
    const float* old = slot(z);
    const int64_t n = 3 * (m1_ - m0_) * nx_;
    for (int64_t k = 0; k < n; ++k) totals_[k] -= old[k];
  }

  // The coefficients of plane z, into the ring and the running totals; returns this band's part of the loss.
  double coefficients(int64_t z) {
    const int64_t rows = s1_ - s0_, ny = p_.size.n[1], plane = ny * nx_, field = (m1_ - m0_) * nx_;
    const float deep = static_cast<float>(std::min(z + p_.rz, p_.size.n[0] - 1) - std::max<int64_t>(z - p_.rz, 0) + 1);
    float* into = slot(z);
    double loss = 0;
    for (int64_t y = m0_; y < m1_; ++y) {
      const int64_t first = std::max<int64_t>(y - p_.ry, 0), last = std::min(y + p_.ry + 1, ny);
      float* row = padded_.data() + p_.rx;
      for (int f = 0; f < kSums; ++f) {
        add_rows(sums_.data() + f * rows * nx_, first - s0_, last - s0_, nx_, nx_, row);
        box_x(row, p_.rx, nx_, boxes_.data() + f * nx_);
      }
      const float high = deep * static_cast<float>(last - first), scale = static_cast<float>(-1.0 / p_.total);
      const float *bi = boxes_.data(), *bj = bi + nx_, *bii = bj + nx_, *bjj = bii + nx_, *bij = bjj + nx_, *bw = bij + nx_;
      const float* fw = Weighted ? p_.weight + z * plane + y * nx_ : nullptr;
      float *a = into + (y - m0_) * nx_, *b = a + field, *c = b + field;
      float *ta = totals_.data() + (y - m0_) * nx_, *tb = ta + field, *tc = tb + field;
      const bool own = y >= y0_ && y < y1_;
      float part = 0;
      for (int64_t x = 0; x < nx_; ++x) {
        const float n = Weighted ? std::max(bw[x], 1e-6f) : high * counts_[x];
        const float r = 1.0f / n, mi = bi[x] * r, mj = bj[x] * r;
        const float cov = bij[x] * r - mi * mj;
        const float vi = std::max(bii[x] * r - mi * mi, 0.0f), raw = bjj[x] * r - mj * mj, vj = std::max(raw, 0.0f);
        const float ei = vi + kFloor, ej = vj + kFloor, c0 = cov + kFloor;
        const float d = 1.0f / (ei * ej), size = std::fabs(c0), s = c0 * size * d;
        const float g = Weighted ? scale * fw[x] : scale;
        const float ca = g * 2.0f * size * d * r;
        const float cb = raw > 0.0f ? -2.0f * g * s * ei * d * r : 0.0f;
        const float cc = -(ca * mi + cb * mj);
        a[x] = ca; b[x] = cb; c[x] = cc;
        ta[x] += ca; tb[x] += cb; tc[x] += cc;
        part += Weighted ? fw[x] * s : s;
      }
      if (own) loss += part;
    }
    return loss;
  }

  void write_gradient(int64_t z, float* gradient) {
    const int64_t ny = p_.size.n[1], plane = ny * nx_, field = (m1_ - m0_) * nx_;
    const float level = p_.level;
    for (int64_t y = y0_; y < y1_; ++y) {
      const int64_t first = std::max<int64_t>(y - p_.ry, 0) - m0_, last = std::min(y + p_.ry + 1, ny) - m0_;
      float* row = padded_.data() + p_.rx;
      for (int f = 0; f < 3; ++f) {
        add_rows(totals_.data() + f * field, first, last, nx_, nx_, row);
        box_x(row, p_.rx, nx_, boxes_.data() + f * nx_);
      }
      const int64_t at = z * plane + y * nx_;
      const float *fi = p_.fixed + at, *fj = p_.warped + at, *fw = Weighted ? p_.weight + at : nullptr;
      const float *ba = boxes_.data(), *bb = ba + nx_, *bc = bb + nx_;
      float* out = gradient + at;
      for (int64_t x = 0; x < nx_; ++x) {
        const float g = (fi[x] - level) * ba[x] + (fj[x] - level) * bb[x] + bc[x];
        out[x] = Weighted ? fw[x] * g : g;
      }
    }
  }

  const Problem& p_;
  int64_t y0_, y1_, nx_;
  int64_t m0_, m1_;  // rows whose coefficients the band needs
  int64_t s0_, s1_;  // rows whose products those need
  int64_t slots_;
  std::vector<float> sums_, totals_, ring_, padded_, boxes_, counts_;
};

}  // namespace

double lncc(const float* fixed, const float* warped, const float* weight, Grid size, const int radius[3], float level,
            double total, float* gradient, int threads) {
  const Problem problem{fixed, warped, weight, size, radius[0], radius[1], radius[2], level, total};
  const int64_t ny = size.n[1], bands = (ny + kBandRows - 1) / kBandRows;
  std::vector<double> parts(bands);
  threads = useful_threads(size.count(), threads);
  parallel(bands, threads, [&](int64_t first, int64_t last, int) {
    for (int64_t k = first; k < last; ++k) {
      const int64_t y0 = ny * k / bands, y1 = ny * (k + 1) / bands;
      parts[k] = weight ? Band<true>(problem, y0, y1).run(gradient) : Band<false>(problem, y0, y1).run(gradient);
    }
  });
  double sum = 0;
  for (double part : parts) sum += part;
  return 1.0 - sum / total;
}

}  // namespace PB_ISA
}  // namespace pb

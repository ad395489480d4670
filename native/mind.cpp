// MIND descriptors: how unlike pairs of patches about each voxel are, scaled by the local noise.
//
// One sweep over the image writes exp(-D / V) with the noise V as it is, and keeps V; its mean over the image is known
// only then. A second sweep reads V alone, and where it is beyond its limits raises what was written to the power
// V / limit, which is the same as having divided by the limit (V is a mean over the channels, so that no D is more than
// `channels` times V, and no value has been lost). Sums over the box are made of at most 2 radius + 1 squares at a
// time, never run on: a running sum would leave the noise of bright places behind in dark ones.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "parallel.h"
#include "pullback.h"

namespace pb {
namespace PB_ISA {
namespace {

constexpr int64_t kBandRows = 16;

struct Problem {
  const float* padded;  // the image, each row with its ends repeated `reach` times
  int64_t pitch, reach;
  Grid size;
  const int* pairs;
  int channels;
  const int* radius;
  float* result;
  float* noise;
  double* row_noise;
};

int64_t clamped(int64_t i, int64_t n) { return std::min(std::max<int64_t>(i, 0), n - 1); }

// exp(x) for x <= 0 to single precision, in plain arithmetic that the compiler can do for many x at once.
inline float exponential(float x) {
  const float t = std::max(x, -86.0f) * 1.44269504f;
  const int32_t whole = static_cast<int32_t>(t - 0.5f);
  const float f = (t - static_cast<float>(whole)) * 0.693147181f;  // within +- 0.35
  const float p = 1.0f + f * (1.0f + f * (0.5f + f * (0.166666667f + f * (0.0416666667f + f * (8.33333333e-3f +
                  f * 1.38888889e-3f)))));
  const int32_t bits = (whole + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return p * power;
}

class Band {
 public:
  Band(const Problem& problem, int64_t y0, int64_t y1)
      : p_(problem), y0_(y0), y1_(y1), nx_(problem.size.n[2]),
        m0_(std::max<int64_t>(0, y0 - problem.radius[1])), m1_(std::min(problem.size.n[1], y1 + problem.radius[1])),
        columns_((m1_ - m0_) * nx_), row_(nx_ + 2 * problem.radius[2] + 16, 0.0f),
        distance_(problem.channels * (y1 - y0) * nx_), least_(nx_), sum_(nx_), share_(nx_) {
    for (int64_t x = 0; x < nx_; ++x)
      share_[x] = 1.0f / static_cast<float>(std::min(x + p_.radius[2], nx_ - 1) - std::max<int64_t>(x - p_.radius[2], 0) + 1);
  }

  void run(int64_t z) {
    for (int c = 0; c < p_.channels; ++c) patches(z, c);
    for (int64_t y = y0_; y < y1_; ++y) write(z, y);
  }

 private:
  const float* row_at(int64_t z, int64_t y, const int* offset) const {
    const int64_t row = clamped(z + offset[0], p_.size.n[0]) * p_.size.n[1] + clamped(y + offset[1], p_.size.n[1]);
    return p_.padded + row * p_.pitch + p_.reach + offset[2];
  }

  // The mean squared difference of one pair of patches, for all voxels of the band in slice z.
  void patches(int64_t z, int c) {
    const int *a = p_.pairs + 6 * c, *b = a + 3;
    const int64_t z0 = std::max<int64_t>(z - p_.radius[0], 0), z1 = std::min(z + p_.radius[0], p_.size.n[0] - 1);
    for (int64_t y = m0_; y < m1_; ++y) {
      float* column = columns_.data() + (y - m0_) * nx_;
      for (int64_t k = z0; k <= z1; ++k) {
        const float *p = row_at(k, y, a), *q = row_at(k, y, b);
        if (k == z0)
          for (int64_t x = 0; x < nx_; ++x) column[x] = (p[x] - q[x]) * (p[x] - q[x]);
        else
          for (int64_t x = 0; x < nx_; ++x) column[x] += (p[x] - q[x]) * (p[x] - q[x]);
      }
    }
    for (int64_t y = y0_; y < y1_; ++y) {
      const int64_t first = std::max<int64_t>(y - p_.radius[1], 0), last = std::min(y + p_.radius[1], p_.size.n[1] - 1);
      const float share = 1.0f / static_cast<float>((z1 - z0 + 1) * (last - first + 1));
      float* row = row_.data() + p_.radius[2];
      const float* column = columns_.data() + (first - m0_) * nx_;
      for (int64_t x = 0; x < nx_; ++x) row[x] = column[x];
      for (int64_t k = first + 1; k <= last; ++k) {
        column += nx_;
        for (int64_t x = 0; x < nx_; ++x) row[x] += column[x];
      }
      float* out = distance_.data() + (c * (y1_ - y0_) + y - y0_) * nx_;
      const float *s = row_.data(), *w = share_.data();
      for (int64_t x = 0; x < nx_; ++x) out[x] = s[x];
      for (int k = 1; k <= 2 * p_.radius[2]; ++k)
        for (int64_t x = 0; x < nx_; ++x) out[x] += s[x + k];
      for (int64_t x = 0; x < nx_; ++x) out[x] *= w[x] * share;
    }
  }

  // The channels of one row, and its noise.
  void write(int64_t z, int64_t y) {
    const int64_t row = z * p_.size.n[1] + y, pitch = (y1_ - y0_) * nx_, count = p_.size.count();
    const float* d = distance_.data() + (y - y0_) * nx_;
    float *least = least_.data(), *sum = sum_.data(), *noise = p_.noise + row * nx_;
    for (int64_t x = 0; x < nx_; ++x) least[x] = d[x], sum[x] = 0;
    for (int c = 1; c < p_.channels; ++c)
      for (int64_t x = 0; x < nx_; ++x) least[x] = std::min(least[x], d[c * pitch + x]);
    for (int c = 0; c < p_.channels; ++c)  // of the differences: a difference of sums would lose what little there is
      for (int64_t x = 0; x < nx_; ++x) sum[x] += d[c * pitch + x] - least[x];
    double total = 0;
    for (int64_t x = 0; x < nx_; ++x) {
      noise[x] = sum[x] / static_cast<float>(p_.channels);
      total += noise[x];
      sum[x] = -1.0f / std::max(noise[x], 1e-30f);
    }
    p_.row_noise[row] = total;
    for (int c = 0; c < p_.channels; ++c) {
      float* out = p_.result + c * count + row * nx_;
      for (int64_t x = 0; x < nx_; ++x) out[x] = exponential((d[c * pitch + x] - least[x]) * sum[x]);
    }
  }

  const Problem& p_;
  int64_t y0_, y1_, nx_;
  int64_t m0_, m1_;  // rows whose squares the band needs
  std::vector<float> columns_, row_, distance_, least_, sum_, share_;
};

// Each row with its ends repeated, so that reading beside it needs no test.
void pad(const float* image, const Problem& p, float* padded, int threads) {
  const int64_t nx = p.size.n[2];
  parallel(p.size.n[0] * p.size.n[1], threads, [&](int64_t first, int64_t last, int) {
    for (int64_t row = first; row < last; ++row) {
      const float* from = image + row * nx;
      float* to = padded + row * p.pitch;
      std::fill(to, to + p.reach, from[0]);
      std::memcpy(to + p.reach, from, nx * sizeof(float));
      std::fill(to + p.reach + nx, to + p.pitch, from[nx - 1]);
    }
  });
}

// Where the noise is beyond its limits: the same as if it had been within them from the start.
void hold(const Problem& p, float low, float high, int threads) {
  const int64_t nx = p.size.n[2], count = p.size.count();
  parallel(p.size.n[0] * p.size.n[1], threads, [&](int64_t first, int64_t last, int) {
    for (int64_t at = first * nx; at < last * nx; ++at) {
      const float v = p.noise[at];
      if ((v >= low && v <= high) || v <= 0) continue;
      const float power = v / std::min(std::max(v, low), high);
      for (int c = 0; c < p.channels; ++c) {
        float& value = p.result[c * count + at];
        value = std::exp(power * std::log(value));
      }
    }
  });
}

}  // namespace

void mind(const float* image, Grid size, const int* pairs, int channels, const int radius[3], const float limits[3],
          float* result, int threads) {
  int64_t reach = 0;
  for (int c = 0; c < 2 * channels; ++c) reach = std::max<int64_t>(reach, std::abs(pairs[3 * c + 2]));
  const int64_t ny = size.n[1], rows = size.n[0] * ny, pitch = size.n[2] + 2 * reach;
  const int64_t bands = (ny + kBandRows - 1) / kBandRows;
  std::vector<float> padded(rows * pitch), noise(size.count());
  std::vector<double> row_noise(rows);
  const Problem p{padded.data(), pitch, reach, size, pairs, channels, radius, result, noise.data(), row_noise.data()};
  threads = useful_threads(size.count() * channels, threads);
  pad(image, p, padded.data(), threads);
  parallel(bands, threads, [&](int64_t first, int64_t last, int) {
    for (int64_t k = first; k < last; ++k) {
      Band band(p, ny * k / bands, ny * (k + 1) / bands);
      for (int64_t z = 0; z < size.n[0]; ++z) band.run(z);
    }
  });
  double total = 0;
  for (double part : row_noise) total += part;
  const double usual = total / static_cast<double>(size.count());
  hold(p, std::max(static_cast<float>(limits[0] * usual), limits[2]),
       std::max(static_cast<float>(limits[1] * usual), limits[2]), threads);
}

}  // namespace PB_ISA
}  // namespace pb

// What `force` gives, carried to a coarser grid by the transpose of reading that grid linearly: no fine field is stored.
//
// Each fine row's force is worked out once, added up along x at once, then shared among the one or two coarse rows that
// it lies between; the last few of these planes are kept, from which each coarse plane is the sum along z.
#include <algorithm>
#include <vector>

#include "finer.h"
#include "parallel.h"
#include "pullback.h"
#include "simd.h"

namespace pb {
namespace PB_ISA {
namespace {

struct Problem {
  const float *warped, *gradient;
  Grid size;
  int channels, dim;
  float mix[3][3];  // rows: slope along z, y, x; columns: component of the force
  Grid coarse;
  Band to_z, from_y, to_x;  // onto a coarse plane, from a fine row, onto a coarse column
};

class Part {
 public:
  explicit Part(const Problem& problem)
      : p_(problem), across_(problem.to_x, problem.coarse.n[2]), slots_(problem.to_z.width),
        plane_(p_.dim * p_.coarse.n[1] * across_.wide()), planes_(slots_ * plane_, 0.0f),
        pitch_((p_.size.n[2] + kLanes - 1) / kLanes * kLanes + p_.to_x.width + Across::kBeyond),
        force_(p_.dim * pitch_, 0.0f), shared_(across_.wide(), 0.0f) {}

  // The coarse planes [first, last).
  void run(int64_t first, int64_t last, float* field) {
    const int width = p_.to_z.width;
    for (int64_t z = first, next = 0; z < last; ++z) {
      const int64_t low = p_.to_z.first[z];
      for (next = std::max(next, low); next < low + width; ++next) make_plane(next);
      add_planes(z, low, field);
    }
  }

 private:
  float* slot(int64_t z) { return planes_.data() + z % slots_ * plane_; }

  void add_planes(int64_t z, int64_t low, float* field) {
    const int64_t ny = p_.coarse.n[1], nx = p_.coarse.n[2], wide = across_.wide();
    const float* weights = p_.to_z.weights + z * p_.to_z.width;
    for (int i = 0; i < p_.dim; ++i)
      for (int64_t y = 0; y < ny; ++y) {
        const int64_t at = (i * ny + y) * wide;
        float* out = field + i * p_.coarse.count() + (z * ny + y) * nx;
        for (int64_t x = 0; x < nx; x += kLanes) {
          Lanes sum = weights[0] * load(slot(low) + at + x);
          for (int k = 1; k < p_.to_z.width; ++k) sum += weights[k] * load(slot(low + k) + at + x);
          store_some(out + x, sum, nx - x);
        }
      }
  }

  // One fine plane's force on the coarse grid of its plane.
  void make_plane(int64_t z) {
    float* plane = slot(z);
    std::fill(plane, plane + plane_, 0.0f);
    const int64_t wide = across_.wide();
    const Band& from = p_.from_y;
    for (int64_t y = 0; y < p_.size.n[1]; ++y) {
      for (int c = 0; c < p_.channels; ++c) add_force(z, y, c);
      for (int i = 0; i < p_.dim; ++i) {
        across_.apply(force_.data() + i * pitch_, shared_.data());
        for (int k = 0; k < from.width; ++k) {
          const float weight = from.weights[y * from.width + k];
          float* into = plane + (i * p_.coarse.n[1] + from.first[y] + k) * wide;
          for (int64_t x = 0; x < wide; x += kLanes) store(into + x, load(into + x) + weight * load(shared_.data() + x));
        }
      }
    }
  }

  // The force along a fine row, as in force.cpp; of the first channel it is set, those of others are added.
  void add_force(int64_t z, int64_t y, int channel) {
    const int64_t nz = p_.size.n[0], ny = p_.size.n[1], nx = p_.size.n[2], at = channel * p_.size.count() + (z * ny + y) * nx;
    const float *w = p_.warped + at, *g = p_.gradient + at;
    const float *z0 = w + (z > 0 ? -ny * nx : 0), *z1 = w + (z + 1 < nz ? ny * nx : 0);
    const float *y0 = w + (y > 0 ? -nx : 0), *y1 = w + (y + 1 < ny ? nx : 0);
    for (int64_t x = 0; x < nx; x += kLanes) {
      const int64_t n = nx - x;
      const Lanes pull = load_some(g + x, n);
      const Lanes dz = 0.5f * pull * (load_some(z1 + x, n) - load_some(z0 + x, n));
      const Lanes dy = 0.5f * pull * (load_some(y1 + x, n) - load_some(y0 + x, n));
      const bool within = x > 0 && n > kLanes;
      const Lanes dx = 0.5f * pull * (within ? load(w + x + 1) - load(w + x - 1) : rise_at_end(w, x, nx));
      for (int i = 0; i < p_.dim; ++i) {
        float* out = force_.data() + i * pitch_ + x;
        const Lanes f = p_.mix[0][i] * dz + p_.mix[1][i] * dy + p_.mix[2][i] * dx;
        store(out, channel == 0 ? f : load(out) + f);
      }
    }
  }

  // The difference of the neighbours along x in the first or last vector of a row, its edge repeated.
  static Lanes rise_at_end(const float* row, int64_t x, int64_t nx) {
    Lanes rise = {};
    for (int64_t k = x; k < std::min(x + kLanes, nx); ++k)
      rise[k - x] = row[std::min(k + 1, nx - 1)] - row[std::max<int64_t>(k - 1, 0)];
    return rise;
  }

  const Problem& p_;
  Across across_;
  int64_t slots_, plane_;
  std::vector<float> planes_;
  int64_t pitch_;
  std::vector<float> force_, shared_;
};

}  // namespace

void force_coarse(const float* warped, const float* gradient, Grid size, int channels, int dim, const double* mix,
                  const Band bands[3], Grid coarse, float* field, int threads) {
  Problem problem{warped, gradient, size, channels, dim, {}, coarse, bands[0], bands[1], bands[2]};
  for (int a = 0; a < dim; ++a)
    for (int i = 0; i < dim; ++i) problem.mix[3 - dim + a][i] = static_cast<float>(mix[a * dim + i]);
  parallel(coarse.n[0], useful_threads(size.count(), threads),
           [&](int64_t first, int64_t last, int) { Part(problem).run(first, last, field); });
}

}  // namespace PB_ISA
}  // namespace pb

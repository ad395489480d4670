// The C interface: picks the best instruction set of this processor once, and forwards.
#include <cstdlib>
#include <cstring>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#define PB_ISA baseline
#include "pullback.h"

namespace pb {
#ifdef PB_X86
namespace avx2 {
PB_KERNELS(PB_DECLARE)
}
namespace avx512 {
PB_KERNELS(PB_DECLARE)
}
#endif

namespace {

enum Level { kBaseline, kAvx2, kAvx512 };

Level best() {
  const char* wanted = std::getenv("PULLBACK_ISA");  // for tests: a lower level than the processor's
#ifdef PB_X86
  __builtin_cpu_init();
  const bool has2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has512 = has2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
  Level level = has512 ? kAvx512 : has2 ? kAvx2 : kBaseline;
  if (wanted && !std::strcmp(wanted, "avx2") && has2) level = kAvx2;
  if (wanted && !std::strcmp(wanted, "baseline")) level = kBaseline;
  return level;
#else
  (void)wanted;
  return kBaseline;
#endif
}

const Level kLevel = best();

}  // namespace
}  // namespace pb

#ifdef PB_X86
#define PB_CALL(name, arguments)                        \
  switch (pb::kLevel) {                                 \
    case pb::kAvx512: return pb::avx512::name arguments; \
    case pb::kAvx2: return pb::avx2::name arguments;     \
    default: return pb::baseline::name arguments;        \
  }
#else
#define PB_CALL(name, arguments) return pb::baseline::name arguments;
#endif

namespace {

pb::Grid grid(const int64_t n[3]) { return {{n[0], n[1], n[2]}}; }

pb::Reading reading(const float* displacement, const double* matrix, const double* mix, const int64_t shape[3], int dim) {
  return {displacement, matrix, mix, {shape[0], shape[1], shape[2]}, dim};
}

pb::Splines splines(const int* const first[3], const float* const weights[3], const int taps[3]) {
  return {{first[0], first[1], first[2]}, {weights[0], weights[1], weights[2]}, {taps[0], taps[1], taps[2]}};
}

}  // namespace

PB_EXPORT int pb_version() { return 8; }

PB_EXPORT const char* pb_instruction_set() {
  return pb::kLevel == pb::kAvx512 ? "avx512" : pb::kLevel == pb::kAvx2 ? "avx2" : "baseline";
}

// Gives memory that was freed back to the system, where the C library would keep it for later.
PB_EXPORT void pb_trim() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

PB_EXPORT void pb_sample(const float* image, const int64_t size[3], int channels, const float* displacement,
                         const double* matrix, const double* mix, const int64_t shape[3], int dim, int clamp,
                         float outside, const float* plus, float scale, float* values, int threads) {
  PB_CALL(sample, (image, grid(size), channels, reading(displacement, matrix, mix, shape, dim), clamp, outside, plus,
                   scale, values, threads))
}

PB_EXPORT void pb_sample_backward(const float* image, const int64_t size[3], int channels, const float* displacement,
                                  const double* matrix, const double* mix, const int64_t shape[3], int dim, int clamp,
                                  const float* gradient, float* to_displacement, double* to_matrix, double* to_mix,
                                  int threads) {
  PB_CALL(sample_backward, (image, grid(size), channels, reading(displacement, matrix, mix, shape, dim), clamp, gradient,
                            to_displacement, to_matrix, to_mix, threads))
}

PB_EXPORT void pb_sample_slopes(const float* image, const int64_t size[3], int channels, const float* displacement,
                                const double* matrix, const double* mix, const int64_t shape[3], int dim, int clamp,
                                float outside, float* values, float* slopes, int threads) {
  PB_CALL(sample_slopes, (image, grid(size), channels, reading(displacement, matrix, mix, shape, dim), clamp, outside,
                          values, slopes, threads))
}

PB_EXPORT void pb_slopes_to_matrix(const float* slopes, int channels, const float* displacement, const double* matrix,
                                   const double* mix, const int64_t shape[3], int dim, const float* gradient,
                                   double* to_matrix, double* to_mix, int threads) {
  PB_CALL(slopes_to_matrix, (slopes, channels, reading(displacement, matrix, mix, shape, dim), gradient, to_matrix,
                             to_mix, threads))
}

PB_EXPORT void pb_inside(const int64_t size[3], const float* displacement, const double* matrix, const double* mix,
                         const int64_t shape[3], int dim, float* mask, int threads) {
  PB_CALL(inside, (grid(size), reading(displacement, matrix, mix, shape, dim), mask, threads))
}

PB_EXPORT void pb_pair_sums(const float* fixed, const float* moving, const int64_t size[3], const float* displacement,
                            const double* matrix, const double* mix, const int64_t shape[3], int dim,
                            const float* weight, float level, double* sums, int threads) {
  PB_CALL(pair_sums, (fixed, moving, grid(size), reading(displacement, matrix, mix, shape, dim), weight, level, sums,
                      threads))
}

PB_EXPORT void pb_sample_adjoint(float* image, const int64_t size[3], int channels, const float* displacement,
                                 const double* matrix, const double* mix, const int64_t shape[3], int dim, int nearest,
                                 int clamp, const float* gradient, int threads) {
  PB_CALL(sample_adjoint, (image, grid(size), channels, reading(displacement, matrix, mix, shape, dim), nearest, clamp,
                           gradient, threads))
}

PB_EXPORT void pb_nearest(const float* image, const int64_t size[3], int channels, const float* displacement,
                          const double* matrix, const double* mix, const int64_t shape[3], int dim, int clamp,
                          float outside, float* values, int threads) {
  PB_CALL(nearest, (image, grid(size), channels, reading(displacement, matrix, mix, shape, dim), clamp, outside, values,
                    threads))
}

PB_EXPORT void pb_cubic(const float* coefficients, const int64_t size[3], int channels, const float* displacement,
                        const double* matrix, const double* mix, const int64_t shape[3], int dim, int clamp,
                        float outside, float* values, int threads) {
  PB_CALL(cubic, (coefficients, grid(size), channels, reading(displacement, matrix, mix, shape, dim), clamp, outside,
                  values, threads))
}

PB_EXPORT void pb_cubic_backward(const float* coefficients, const int64_t size[3], int channels,
                                 const float* displacement, const double* matrix, const double* mix,
                                 const int64_t shape[3], int dim, int clamp, const float* gradient,
                                 float* to_displacement, double* to_matrix, int threads) {
  PB_CALL(cubic_backward, (coefficients, grid(size), channels, reading(displacement, matrix, mix, shape, dim), clamp,
                           gradient, to_displacement, to_matrix, threads))
}

PB_EXPORT void pb_jacobian(const float* displacement, const int64_t size[3], int dim, const double* mix,
                           float* determinant, int threads) {
  PB_CALL(jacobian, (displacement, grid(size), dim, mix, determinant, threads))
}

PB_EXPORT void pb_resize(const float* image, const int64_t size[3], const int32_t* first_z, const float* z, int wz,
                         const int32_t* first_y, const float* y, int wy, const int32_t* first_x, const float* x, int wx,
                         const int64_t shape[3], float* result, int threads) {
  const pb::Band bands[3] = {{first_z, z, wz}, {first_y, y, wy}, {first_x, x, wx}};
  PB_CALL(resize, (image, grid(size), bands, grid(shape), result, threads))
}

// The displacement lies on a grid of shape `coarse`; the bands lead from there to the output's.
PB_EXPORT void pb_sample_coarse(const float* image, const int64_t size[3], int channels, const float* displacement,
                                const int64_t coarse[3], const int32_t* first_z, const float* z, int wz,
                                const int32_t* first_y, const float* y, int wy, const int32_t* first_x, const float* x,
                                int wx, const double* matrix, const double* mix, const int64_t shape[3], int dim,
                                int clamp, float outside, float* values, int threads) {
  const pb::Band bands[3] = {{first_z, z, wz}, {first_y, y, wy}, {first_x, x, wx}};
  PB_CALL(sample_coarse, (image, grid(size), channels, reading(displacement, matrix, mix, shape, dim), grid(coarse), bands,
                          clamp, outside, values, threads))
}

PB_EXPORT void pb_inside_coarse(const int64_t size[3], const float* displacement, const int64_t coarse[3],
                                const int32_t* first_z, const float* z, int wz, const int32_t* first_y, const float* y,
                                int wy, const int32_t* first_x, const float* x, int wx, const double* matrix,
                                const double* mix, const int64_t shape[3], int dim, float* mask, int threads) {
  const pb::Band bands[3] = {{first_z, z, wz}, {first_y, y, wy}, {first_x, x, wx}};
  PB_CALL(inside_coarse, (grid(size), reading(displacement, matrix, mix, shape, dim), grid(coarse), bands, mask, threads))
}

// The bands: to the coarse grid along z and x, from it along y.
PB_EXPORT void pb_force_coarse(const float* warped, const float* gradient, const int64_t size[3], int channels, int dim,
                               const double* mix, const int32_t* first_z, const float* z, int wz, const int32_t* first_y,
                               const float* y, int wy, const int32_t* first_x, const float* x, int wx,
                               const int64_t coarse[3], float* field, int threads) {
  const pb::Band bands[3] = {{first_z, z, wz}, {first_y, y, wy}, {first_x, x, wx}};
  PB_CALL(force_coarse, (warped, gradient, grid(size), channels, dim, mix, bands, grid(coarse), field, threads))
}

PB_EXPORT float pb_largest(const float* field, int components, int64_t count, int threads) {
  PB_CALL(largest, (field, components, count, threads))
}

PB_EXPORT void pb_force(const float* warped, const float* gradient, const int64_t size[3], int channels, int dim,
                        const double* mix, float* field, int threads) {
  PB_CALL(force, (warped, gradient, grid(size), channels, dim, mix, field, threads))
}

PB_EXPORT void pb_smooth(const float* image, const int64_t size[3], const float* z, int rz, const float* y, int ry,
                         const float* x, int rx, float* result, int threads) {
  const float* const taps[3] = {z, y, x};
  const int radius[3] = {rz, ry, rx};
  PB_CALL(smooth, (image, grid(size), taps, radius, result, threads))
}

PB_EXPORT double pb_lncc(const float* fixed, const float* warped, const float* weight, const int64_t size[3],
                         const int radius[3], float level, float floor, float doubt, double total, float* gradient,
                         int threads) {
  PB_CALL(lncc, (fixed, warped, weight, grid(size), radius, level, floor, doubt, total, gradient, threads))
}

PB_EXPORT void pb_moments(const float* fixed, const float* warped, const float* weight, int64_t count, float level,
                          double* sums, int threads) {
  PB_CALL(moments, (fixed, warped, weight, count, level, sums, threads))
}

PB_EXPORT void pb_mixture(const float* fixed, const float* warped, const float* weight, int64_t count, float of_fixed,
                          float of_warped, float constant, float* result, int threads) {
  PB_CALL(mixture, (fixed, warped, weight, count, of_fixed, of_warped, constant, result, threads))
}

PB_EXPORT void pb_histogram(const float* fixed, const float* warped, const float* weight, int64_t count, int bins,
                            double* joint, int threads) {
  PB_CALL(histogram, (fixed, warped, weight, count, bins, joint, threads))
}

PB_EXPORT void pb_histogram_backward(const float* fixed, const float* warped, const float* weight, int64_t count,
                                     int bins, const float* gradient, double total, float* to_warped, int threads) {
  PB_CALL(histogram_backward, (fixed, warped, weight, count, bins, gradient, total, to_warped, threads))
}

PB_EXPORT void pb_mind(const float* image, const int64_t size[3], const int* pairs, int channels, const int radius[3],
                       const float limits[3], float* result, int threads) {
  PB_CALL(mind, (image, grid(size), pairs, channels, radius, limits, result, threads))
}

PB_EXPORT void pb_ffd(const float* coefficients, const int64_t control[3], int channels, const int* const first[3],
                      const float* const weights[3], const int taps[3], float* dense, const int64_t size[3],
                      int threads) {
  PB_CALL(ffd, (coefficients, grid(control), channels, splines(first, weights, taps), dense, grid(size), threads))
}

PB_EXPORT void pb_ffd_backward(float* coefficients, const int64_t control[3], int channels, const int* const first[3],
                               const float* const weights[3], const int taps[3], const float* dense,
                               const int64_t size[3], int threads) {
  PB_CALL(ffd_backward,
          (coefficients, grid(control), channels, splines(first, weights, taps), dense, grid(size), threads))
}

PB_EXPORT void pb_ffd_sample(const float* coefficients, const int64_t control[3], int channels, const float* displacement,
                             const double* matrix, const double* mix, const int64_t shape[3], int dim, float* values,
                             int threads) {
  PB_CALL(ffd_sample, (coefficients, grid(control), channels, reading(displacement, matrix, mix, shape, dim), values,
                       threads))
}

PB_EXPORT void pb_ffd_sample_backward(const float* coefficients, const int64_t control[3], int channels,
                                      const float* displacement, const double* matrix, const double* mix,
                                      const int64_t shape[3], int dim, const float* gradient, float* to_displacement,
                                      int threads) {
  PB_CALL(ffd_sample_backward, (coefficients, grid(control), channels, reading(displacement, matrix, mix, shape, dim),
                                gradient, to_displacement, threads))
}

PB_EXPORT void pb_ffd_sample_adjoint(float* coefficients, const int64_t control[3], int channels,
                                     const float* displacement, const double* matrix, const double* mix,
                                     const int64_t shape[3], int dim, const float* gradient, int threads) {
  PB_CALL(ffd_sample_adjoint,
          (coefficients, grid(control), channels, reading(displacement, matrix, mix, shape, dim), gradient, threads))
}

PB_EXPORT double pb_sampled_mse(const float* fixed, const float* moving, const int64_t size[3], int channels,
                                const float* displacement, const double* matrix, const double* mix,
                                const int64_t shape[3], int dim, const float* weight, float scale,
                                float* to_displacement, double* to_matrix, double* to_mix, int threads) {
  PB_CALL(sampled_mse, (fixed, moving, grid(size), channels, reading(displacement, matrix, mix, shape, dim), weight,
                        scale, to_displacement, to_matrix, to_mix, threads))
}

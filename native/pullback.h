// The plain C interface of the CPU kernels. All tensors are contiguous float32, component first, fastest axis last.
//
// A 2-D image is a 3-D one with a single slice: sizes are always {nz, ny, nx}, and vectors always have as many
// components as the image has dimensions (`dim`, 2 or 3), slowest axis first. Every function takes the number of
// threads, allocates nothing that it does not free, and gives the same bits for every number of threads unless it says
// otherwise. The library links neither Python nor torch.
#pragma once
#include <cstdint>

#if defined(_WIN32)
#define PB_EXPORT extern "C" __declspec(dllexport)
#else
#define PB_EXPORT extern "C" __attribute__((visibility("default")))
#endif

// The kernels are compiled once for each instruction set, in a namespace of its own; see dispatch.cpp.
#ifndef PB_ISA
#define PB_ISA baseline
#endif

namespace pb {

// Where to read: p(v) = matrix[:, :dim] v + matrix[:, dim] + mix displacement(v), in voxels of the image.
struct Reading {
  const float* displacement;  // (dim, nz, ny, nx) or null
  const double* matrix;       // (dim, dim + 1)
  const double* mix;          // (dim, dim)
  int64_t shape[3];           // the output's {nz, ny, nx}
  int dim;
};

struct Grid {
  int64_t n[3];  // {nz, ny, nx}
  int64_t count() const { return n[0] * n[1] * n[2]; }
};

// A banded matrix along one axis: output i is the sum over k < width of weights[i * width + k] input[first[i] + k].
struct Band {
  const int32_t* first;
  const float* weights;
  int width;
};

// Control points that matter to each voxel, along each axis: the first of `taps` of them, and their weights.
struct Splines {
  const int* first[3];
  const float* weights[3];
  int taps[3];
};

#define PB_KERNELS(X)                                                                                              \
  X(void, sample, (const float* image, Grid size, int channels, const Reading& where, int clamp, float outside,    \
                   const float* plus, float scale, float* values, int threads),                                    \
    (image, size, channels, where, clamp, outside, plus, scale, values, threads))                                  \
  X(void, sample_backward, (const float* image, Grid size, int channels, const Reading& where, int clamp,          \
                            const float* gradient, float* to_displacement, double* to_matrix, double* to_mix,      \
                            int threads),                                                                          \
    (image, size, channels, where, clamp, gradient, to_displacement, to_matrix, to_mix, threads))                  \
  X(void, sample_slopes, (const float* image, Grid size, int channels, const Reading& where, int clamp, float outside, \
                          float* values, float* slopes, int threads),                                              \
    (image, size, channels, where, clamp, outside, values, slopes, threads))                                       \
  X(void, slopes_to_matrix, (const float* slopes, int channels, const Reading& where, const float* gradient,       \
                             double* to_matrix, double* to_mix, int threads),                                      \
    (slopes, channels, where, gradient, to_matrix, to_mix, threads))                                               \
  X(void, inside, (Grid size, const Reading& where, float* mask, int threads), (size, where, mask, threads))       \
  X(void, sample_adjoint, (float* image, Grid size, int channels, const Reading& where, int nearest, int clamp,     \
                           const float* gradient, int threads),                                                    \
    (image, size, channels, where, nearest, clamp, gradient, threads))                                             \
  X(void, nearest, (const float* image, Grid size, int channels, const Reading& where, int clamp, float outside,   \
                    float* values, int threads), (image, size, channels, where, clamp, outside, values, threads))  \
  X(void, cubic, (const float* coefficients, Grid size, int channels, const Reading& where, int clamp,             \
                  float outside, float* values, int threads),                                                      \
    (coefficients, size, channels, where, clamp, outside, values, threads))                                        \
  X(void, cubic_backward, (const float* coefficients, Grid size, int channels, const Reading& where, int clamp,    \
                           const float* gradient, float* to_displacement, double* to_matrix, int threads),         \
    (coefficients, size, channels, where, clamp, gradient, to_displacement, to_matrix, threads))                   \
  X(void, jacobian, (const float* displacement, Grid size, int dim, const double* mix, float* determinant,         \
                     int threads), (displacement, size, dim, mix, determinant, threads))                           \
  X(void, resize, (const float* image, Grid size, const Band bands[3], Grid shape, float* result, int threads),    \
    (image, size, bands, shape, result, threads))                                                                  \
  X(float, largest, (const float* field, int components, int64_t count, int threads),                              \
    (field, components, count, threads))                                                                           \
  X(void, force, (const float* warped, const float* gradient, Grid size, int channels, int dim, const double* mix,   \
                  float* field, int threads),                                                                      \
    (warped, gradient, size, channels, dim, mix, field, threads))                                                  \
  X(void, sample_coarse, (const float* image, Grid size, int channels, const Reading& where, Grid coarse,             \
                          const Band bands[3], int clamp, float outside, float* values, int threads),              \
    (image, size, channels, where, coarse, bands, clamp, outside, values, threads))                                \
  X(void, inside_coarse, (Grid size, const Reading& where, Grid coarse, const Band bands[3], float* mask, int threads), \
    (size, where, coarse, bands, mask, threads))                                                                   \
  X(void, force_coarse, (const float* warped, const float* gradient, Grid size, int channels, int dim,             \
                         const double* mix, const Band bands[3], Grid coarse, float* field, int threads),          \
    (warped, gradient, size, channels, dim, mix, bands, coarse, field, threads))                                   \
  X(void, smooth, (const float* image, Grid size, const float* const taps[3], const int radius[3], float* result,  \
                   int threads), (image, size, taps, radius, result, threads))                                     \
  X(double, lncc, (const float* fixed, const float* warped, const float* weight, Grid size, const int radius[3],   \
                   float level, float floor, float doubt, double total, float* gradient, int threads),             \
    (fixed, warped, weight, size, radius, level, floor, doubt, total, gradient, threads))                                 \
  X(void, moments, (const float* fixed, const float* warped, const float* weight, int64_t count, float level,      \
                    double* sums, int threads), (fixed, warped, weight, count, level, sums, threads))              \
  X(void, pair_sums, (const float* fixed, const float* moving, Grid size, const Reading& where, const float* weight,  \
                      float level, double* sums, int threads),                                                     \
    (fixed, moving, size, where, weight, level, sums, threads))                                                    \
  X(void, mixture, (const float* fixed, const float* warped, const float* weight, int64_t count, float of_fixed,   \
                    float of_warped, float constant, float* result, int threads),                                  \
    (fixed, warped, weight, count, of_fixed, of_warped, constant, result, threads))                                \
  X(void, histogram, (const float* fixed, const float* warped, const float* weight, int64_t count, int bins,       \
                      double* joint, int threads), (fixed, warped, weight, count, bins, joint, threads))           \
  X(void, histogram_backward, (const float* fixed, const float* warped, const float* weight, int64_t count,        \
                               int bins, const float* gradient, double total, float* to_warped, int threads),      \
    (fixed, warped, weight, count, bins, gradient, total, to_warped, threads))                                     \
  X(void, mind, (const float* image, Grid size, const int* pairs, int channels, const int radius[3],               \
                 const float limits[3], float* result, int threads),                                               \
    (image, size, pairs, channels, radius, limits, result, threads))                                               \
  X(void, ffd, (const float* coefficients, Grid control, int channels, const Splines& splines, float* dense,       \
                Grid size, int threads), (coefficients, control, channels, splines, dense, size, threads))         \
  X(void, ffd_backward, (float* coefficients, Grid control, int channels, const Splines& splines,                  \
                         const float* dense, Grid size, int threads),                                              \
    (coefficients, control, channels, splines, dense, size, threads))                                              \
  X(void, ffd_sample, (const float* coefficients, Grid control, int channels, const Reading& where, float* values,  \
                       int threads), (coefficients, control, channels, where, values, threads))                     \
  X(void, ffd_sample_backward, (const float* coefficients, Grid control, int channels, const Reading& where,        \
                                const float* gradient, float* to_displacement, int threads),                        \
    (coefficients, control, channels, where, gradient, to_displacement, threads))                                   \
  X(void, ffd_sample_adjoint, (float* coefficients, Grid control, int channels, const Reading& where,               \
                               const float* gradient, int threads),                                                 \
    (coefficients, control, channels, where, gradient, threads))                                                    \
  X(double, sampled_mse, (const float* fixed, const float* moving, Grid size, int channels, const Reading& where,    \
                          const float* weight, float scale, float* to_displacement, double* to_matrix,               \
                          double* to_mix, int threads),                                                              \
    (fixed, moving, size, channels, where, weight, scale, to_displacement, to_matrix, to_mix, threads))

#define PB_DECLARE(type, name, parameters, arguments) type name parameters;
namespace PB_ISA {
PB_KERNELS(PB_DECLARE)
}

}  // namespace pb

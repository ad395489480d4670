"""Kernels in Triton. Nothing here is imported but through `pullback.ops._cuda.kernels`.

All work on contiguous float32 volumes of (slices, rows, columns), a 2-D image having one slice. Sizes are numbers that
the compiler must not specialise for (`do_not_specialize`): every level of a pyramid would be compiled anew.
"""

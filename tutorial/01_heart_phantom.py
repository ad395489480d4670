"""
A heart in short axis
=====================

.. _exercise:

A picture.
"""

import matplotlib.pyplot as plt

import pullback as pb

heart = pb.phantom.short_axis()
plt.figure(figsize=(4, 2.6))
plt.imshow(heart.numpy())
plt.title("A heart")
plt.show()

# %%
# Exercise
# --------
# What?
#
# .. dropdown:: Hint
#
#    Think.
#
# Solution
# --------
# Here.
print(heart.space)
# %%
# And this belongs to it.
print(1)
# %%
# What do you expect if ...
# -------------------------
#
# .. dropdown:: ... the slice is moved?
#
#    It moves.

"""Transform files: one module for each container, `itk_types` for what they all contain, `read` and `write` on top."""

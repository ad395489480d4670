"""Image files: one module for each family of formats, and `read` and `write` that choose among them by name."""

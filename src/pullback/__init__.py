"""pullback: align any two medical images, the heart first."""

__version__ = "0.1.0"

"""Report: one page that says what a registration did, and shows it.

Nothing below imports this package, and nothing but it draws: a registration costs no plotting library.
"""

from pullback.report.data import ImageRow, ReportData, StageRow, data
from pullback.report.figures import figure
from pullback.report.html import write
from pullback.report.key_figures import KeyFigure

__all__ = ["ImageRow", "KeyFigure", "ReportData", "StageRow", "data", "figure", "write"]

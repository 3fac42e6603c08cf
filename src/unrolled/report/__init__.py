"""The report of a comparison: one HTML page, from plain values."""

from ..results.comparison import Comparison as Comparison
from .page import html as html

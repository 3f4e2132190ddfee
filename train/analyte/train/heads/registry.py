"""The heads by name. A new one is a file beside this and a line here."""

from __future__ import annotations

from analyte.train.heads import bins, bounded, gaussian, histogram, linear
from analyte.train.heads.head import Head

HEADS: dict[str, Head] = {
    head.name: head for head in (histogram.HEAD, linear.HEAD, bounded.HEAD, bins.HEAD, gaussian.HEAD)
}

"""Data sets from the network: `fetch` an archive, `fetch_kaggle` one of Kaggle's."""

from seg.preparation.download.archive import fetch
from seg.preparation.download.kaggle import fetch_kaggle

__all__ = ["fetch", "fetch_kaggle"]

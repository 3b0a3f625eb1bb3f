"""Data sets from the network: `fetch` an archive, `fetch_kaggle` one of Kaggle's."""

from seg.data.download.archive import fetch
from seg.data.download.kaggle import fetch_kaggle

__all__ = ["fetch", "fetch_kaggle"]

"""The page of `seg.demo`: images that a browser sends, predicted, measured and drawn."""

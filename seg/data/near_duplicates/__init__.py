"""Images that show the same: found by a perceptual hash, verified on thumbnails."""

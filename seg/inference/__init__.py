"""From a checkpoint to probabilities, class indices and figures, at an image's own size."""

"""Networks: image (N, C, H, W) to logits (N, outputs, H, W)."""

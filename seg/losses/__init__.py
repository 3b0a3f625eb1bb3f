"""Losses: `loss(logits, target)`, a scalar.

Logits are (N, C, H, W), unbounded; one channel is a binary problem (sigmoid), several are the
classes, background first (softmax). The target is (N, H, W) int64; 255 is ignored. A target of
planes (N, C, H, W), 0, 1 or 255, says that classes may share pixels: each channel is a class
(sigmoid), and there is none for the background.
"""

"""Losses: `loss(logits, target)`, a scalar.

Logits are (N, C, H, W), unbounded; one channel is a binary problem (sigmoid), several are the
classes, background first (softmax). The target is (N, H, W) int64; 255 is ignored.
"""

"""Losses: `loss(logits, target)`, logits (N, C, H, W) unbounded, target (N, H, W) int64, 255 void.

One channel of logits is a binary problem (sigmoid), more are the classes with background first
(softmax).
"""

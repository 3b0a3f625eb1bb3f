"""Training: receives models, losses and optimizers as objects."""

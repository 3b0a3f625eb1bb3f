"""Prediction of files: inputs read ahead, masks written behind, restartable."""

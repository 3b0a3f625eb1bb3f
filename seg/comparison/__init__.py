"""Runs side by side: configurations, ranking and paired tests."""

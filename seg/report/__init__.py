"""Reads run folders and draws."""

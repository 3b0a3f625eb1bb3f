"""The run folder: its files, its status, its lock, and how a run is resumed."""

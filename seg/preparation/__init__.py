"""Before training: download, audit and plan."""

"""The command line: compose, review and check a configuration, and build its objects."""

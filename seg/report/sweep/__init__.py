"""A sweep's jobs side by side: chosen by validation, told by the test, and why some failed."""

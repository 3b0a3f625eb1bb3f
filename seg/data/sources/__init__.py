"""One file per data set: where its pairs lie on disk, their groups, their classes."""

"""Cases of a data set to a table of counts, and to figures with their intervals."""

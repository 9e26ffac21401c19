"""The console script `orm`."""

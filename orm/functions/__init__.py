"""Functions of SQL, under Django's names."""

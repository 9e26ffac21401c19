"""A catalogue of music over HTTP: FastAPI on the models of the Chinook example."""

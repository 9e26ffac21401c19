"""The database layer: connections, transactions, drivers. It knows no models and is usable on its own."""

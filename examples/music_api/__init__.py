"""A music shop over HTTP and WebSocket: Starlette on the models of the Chinook example."""

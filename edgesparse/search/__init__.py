"""A search for the cheapest firmware that keeps accuracy: what is tried, how far, where, what is remembered."""

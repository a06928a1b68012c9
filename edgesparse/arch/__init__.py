"""What is bound to an architecture: one package each."""

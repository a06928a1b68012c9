"""What each method keeps of the accuracy, on the data of the examples; `make methods` runs it."""

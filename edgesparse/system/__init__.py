"""What edgesparse asks of the operating system: signals, processes, temporary folders."""

"""From a Keras model and samples to its int8 networks, the dense and the sparse one."""

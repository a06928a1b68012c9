"""One module per command of the command line; each holds the function of its name, which Python users call too."""

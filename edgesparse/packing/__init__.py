"""One module per weight format, with pack and unpack; FORMAT.md has the bytes."""

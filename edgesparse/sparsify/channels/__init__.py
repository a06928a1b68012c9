"""Remove whole channels: what each is worth, which go, and the network without them."""

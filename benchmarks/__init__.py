"""Measurements of the tool and of what it makes; `make bench` runs them."""

"""Cortex-M: cores, their instructions, what they take, and what an emulator must know of them."""

"""Kinds of networks, a module each: see `train/network.py` for what a kind consists of."""

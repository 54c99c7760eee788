"""Kinds of networks, one module each; `train/network.py` describes the interface."""

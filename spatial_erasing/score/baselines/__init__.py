"""Reconstructions without a network, which any network should beat: a kind a module.

    reconstruct(healthy, scans) -> np.ndarray

takes the healthy training subjects and the scans of a split, and returns float16 of the scans' shape.
"""

"""Kinds of baselines, one module each: reconstructions without a network, which any network should beat.

    reconstruct(healthy, scans) -> np.ndarray

takes the healthy training subjects and the scans of a split, and returns float16 in the shape of the scans:
the volumes that the scans are compared with. A baseline that computes a distance returns volumes whose
difference from the scans is this distance.
"""

"""Kinds of fill, one module each: the values in an erased region.

    fill(scans, *, settings, generator) -> Tensor | float

returns a number, or one per pixel in the shape of `scans` (samples, 1, *grid) and on its device, without
host-device synchronisation.
"""

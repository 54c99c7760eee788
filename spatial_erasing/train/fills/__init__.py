"""What an erased region holds: a kind a module.

    fill(scans, *, settings, generator) -> Tensor | float

returns a number, or one for each pixel in the shape of `scans` (samples, 1, *grid) and on its device, without
waiting for the device.
"""

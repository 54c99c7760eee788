"""Kinds of erasing, one module each: the region of a network's input that is erased.

A kind has two functions. `draw` returns random parameters, one row per sample; a row of zeros erases nothing.
It runs on the CPU and for many steps at once. `region` turns parameters into a mask on the network's device,
without host-device synchronisation. Most kinds use boxes as parameters (`boxes.py`); others draw their own
parameters, or the mask itself.

    draw(count, grid, *, settings, generator) -> Tensor (count, ...)
    region(drawn, grid) -> Tensor (count, *grid), True where erased

Literals for the checks of a study before its first job:

    CUBES           maximum number of squares or cubes per sample: a number, or the name of its setting
    HALVES_GRID     True if the centre of the grid must be the centre of the brain
"""

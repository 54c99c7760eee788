"""Which part of a network's input is erased: a kind a module.

A kind has two functions. `draw` returns random parameters, one row a sample, of which zeros stand for a
sample that stays whole; it runs on the CPU and for many steps at once. `region` turns parameters into a mask
on the device of the network; it may not wait for the device. Boxes are the parameters of most kinds
(`boxes.py`); a region of any other shape draws parameters of its own, or the mask itself.

    draw(count, grid, *, settings, generator) -> Tensor (count, ...)
    region(drawn, grid) -> Tensor (count, *grid), True where erased

Literals that a study is checked by before its first job:

    CUBES           how many squares or cubes at most a sample has: a number, or the setting that says it
    HALVES_GRID     True where the middle of the grid must be the middle of the brain
"""

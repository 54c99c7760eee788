"""Up to ten squares (2-D: the paper's multi-patch) or cubes (3-D) (Bengs et al. 2021, section 2.2)."""

from spatial_erasing.train.boxes import draw_cubes, fill_boxes

CUBES = "maximum_regions"

draw = draw_cubes
region = fill_boxes

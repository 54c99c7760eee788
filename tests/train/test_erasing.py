from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from spatial_erasing.registry import ERASINGS
from spatial_erasing.train.boxes import _covered, _draw_cubes, _union_voxels
from spatial_erasing.train.erase import apply_erasing, draw_erased, draw_regions, erase_drawn
from spatial_erasing.train.fills.noise import _partition_positive, fill
from spatial_erasing.train.settings import ErasingSettings

PAPER = ErasingSettings()
GRIDS = [(64, 64), (32, 32), (40, 24), (31, 33), (64, 64, 64), (32, 32, 32), (24, 40, 32), (31, 20, 33)]
ALWAYS = replace(PAPER, probability=1.0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def erase(scans, kind, fill, *, settings, generator):
    """As in training, without the draws for many steps at once."""
    drawn = draw_erased(kind, len(scans), tuple(scans.shape[2:]), settings=settings, generator=generator)
    return erase_drawn(scans, drawn, (kind, fill), settings=settings, generator=generator)


def regions_of(strategy, grid, *, batch_size=200, settings=PAPER, seed=0):
    drawn = draw_regions(strategy, batch_size, grid, settings=settings, generator=generator(seed))
    return drawn.numpy()


def draw_scans(*shape, seed=1):
    """Background 0 over about 70 % of the pixels, a continuous brightness elsewhere."""
    return (torch.rand(shape, generator=generator(seed)) - 0.7).clamp(min=0) / 0.3


@pytest.mark.parametrize("grid", [(13, 9), (11, 7, 10)])
def test_boxes_are_filled_as_numpy_slices_would_and_their_union_is_counted_once(grid):
    rng = np.random.default_rng(2)
    edges = np.sort(rng.integers(0, np.array(grid)[:, None] + 1, size=(50, 6, len(grid), 2)))
    expected = np.zeros((50, *grid), dtype=bool)
    for sample in range(50):
        for box in edges[sample]:
            expected[(sample, *(slice(*interval) for interval in box))] = True
    boxes = torch.from_numpy(edges)
    filled = _covered(boxes, [torch.arange(size) for size in grid])
    assert np.array_equal(filled.numpy(), expected)
    assert np.array_equal(_union_voxels(boxes).numpy(), expected.reshape(50, -1).sum(axis=1))


@pytest.mark.parametrize("grid", GRIDS)
def test_cubes_are_isotropic_and_cut_off_only_at_the_border(grid):
    settings = replace(PAPER, maximum_regions=1)
    boxes = _draw_cubes(500, grid, settings=settings, generator=generator())[:, 0].numpy()
    sizes, widths = np.array(grid), np.diff(boxes)[..., 0]
    side = widths.max(axis=1, keepdims=True)
    touches_border = (boxes[..., 0] == 0) | (boxes[..., 1] == sizes)
    assert (boxes >= 0).all() and (boxes <= sizes[:, None]).all()
    assert (touches_border | (widths == side)).all()
    assert not touches_border.all()


@pytest.mark.parametrize("grid", [(64, 64), (24, 40, 32)])
def test_the_centre_is_uniform_over_the_image(grid):
    # Pixels of side one: the box is its centre, and nothing is cut off.
    voxels = np.prod(grid)
    settings = ErasingSettings(minimum_share=0, maximum_share=1.001 / voxels, maximum_regions=1)
    centres = regions_of("cube", grid, batch_size=5000, settings=settings)
    places = np.argwhere(centres)
    assert len(places) == 5000
    for axis, size in enumerate(grid):
        counts = np.bincount(places[:, axis + 1], minlength=size)
        assert stats.chisquare(counts).pvalue > 0.001
    correlation = np.corrcoef(places[:, 1:].T)[np.triu_indices(len(grid), 1)]
    assert np.abs(correlation).max() < 4 / np.sqrt(5000)


@pytest.mark.parametrize("grid", [(20, 20), (12, 12, 12)])
@pytest.mark.parametrize("strategy", ["cube", "multi_cube"])
def test_no_end_of_the_image_is_erased_more_than_the_other(grid, strategy):
    erased = regions_of(strategy, grid, batch_size=4000).astype(float)
    for axis in range(1, len(grid) + 1):
        profile = erased.mean(axis=tuple(set(range(1, len(grid) + 1)) - {axis}))
        differences = (profile - profile[:, ::-1])[:, : grid[axis - 1] // 2]
        # Cells of one sample are dependent; samples are not, so test the mean over samples.
        assert stats.ttest_1samp(differences.mean(axis=1), 0).pvalue > 0.001
        assert stats.ttest_1samp(differences[:, 0], 0).pvalue > 0.001


def test_the_share_drawn_is_uniform_and_its_box_has_the_nearest_whole_side():
    # A tiny share on a fine grid is hardly cut off: the area then follows the drawn share.
    settings = ErasingSettings(minimum_share=0.0001, maximum_share=0.001, maximum_regions=1)
    boxes = _draw_cubes(20_000, (1000, 1000), settings=settings, generator=generator()).numpy()
    inside = ((boxes[:, 0, :, 0] > 0) & (boxes[:, 0, :, 1] < 1000)).all(axis=1)
    sides = np.diff(boxes[inside, 0, 0])[:, 0]
    observed = np.bincount(sides, minlength=33)[10:32]
    edges = np.clip(np.arange(9.5, 32), 10, np.sqrt(1000)) ** 2  # side s comes from areas (s ± 1/2)²
    expected = np.diff(edges) / (edges[-1] - edges[0]) * observed.sum()
    assert set(sides) == set(range(10, 32 + 1)) - {32}
    assert stats.chisquare(observed, expected).pvalue > 0.001


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("strategy", ["cube", "multi_cube"])
def test_union_covers_one_to_twenty_five_percent(strategy, grid):
    shares = regions_of(strategy, grid).reshape(200, -1).mean(axis=1)
    assert shares.min() >= 0.01 and shares.max() <= 0.25
    assert shares.max() > 0.18 and shares.min() < 0.03  # the whole range is used


@pytest.mark.parametrize("grid", [(64, 64), (32, 32, 32)])
@pytest.mark.parametrize("limits", [(0.02, 0.03), (0.1, 0.12), (0.2, 0.25)])
@pytest.mark.parametrize("strategy", ["cube", "multi_cube"])
def test_union_stays_within_other_limits(strategy, grid, limits):
    settings = ErasingSettings(minimum_share=limits[0], maximum_share=limits[1])
    shares = regions_of(strategy, grid, settings=settings).reshape(200, -1).mean(axis=1)
    assert shares.min() >= limits[0] and shares.max() <= limits[1]


@pytest.mark.parametrize(
    "grid, strategy, expected",
    [((64, 64), "cube", 0.106), ((64, 64), "multi_cube", 0.110), ((32,) * 3, "cube", 0.086)],
)
def test_mean_share_is_the_documented_one(grid, strategy, expected):
    shares = regions_of(strategy, grid, batch_size=2000).reshape(2000, -1).mean(axis=1)
    assert shares.mean() == pytest.approx(expected, abs=4 * 0.06 / np.sqrt(2000))


def test_multi_has_one_to_ten_regions_equally_often_and_single_has_one():
    boxes = _draw_cubes(5000, (64, 64), settings=PAPER, generator=generator())
    counts = (boxes[..., 1] > boxes[..., 0]).all(dim=-1).sum(dim=1).numpy()
    assert stats.chisquare(np.bincount(counts, minlength=11)[1:]).pvalue > 0.001
    for region in regions_of("cube", (64, 64), batch_size=100):
        rows, columns = np.nonzero(region)
        assert np.array_equal(np.ix_(np.unique(rows), np.unique(columns))[0].ravel(), np.unique(rows))
        assert region.sum() == np.ptp(rows) * np.ptp(columns) + np.ptp(rows) + np.ptp(columns) + 1


def test_multi_splits_its_share_by_uniform_spacings():
    # The part of the first of two boxes is then uniform; areas of boxes that are not cut off show it.
    settings = ErasingSettings(minimum_share=0.00999, maximum_share=0.01, maximum_regions=2)
    boxes = _draw_cubes(40_000, (2000, 2000), settings=settings, generator=generator()).double().numpy()
    whole = ((boxes[..., 0] > 0) & (boxes[..., 1] < 2000)).all(axis=(1, 2))
    two = (boxes[:, 1, 0, 1] > boxes[:, 1, 0, 0]) & whole
    areas = np.diff(boxes[two])[..., 0].prod(axis=-1)
    part = areas[:, 0] / areas.sum(axis=1)
    # Cutting off removes lopsided splits more often (a large box meets the border): weigh it out.
    weight = 1 / np.prod(1 - np.sqrt(areas) / 2000, axis=1) ** 2
    histogram = np.histogram(part, bins=10, range=(0, 1), weights=weight)[0]
    assert np.abs(histogram / histogram.mean() - 1).max() < 5 / np.sqrt(two.sum() / 10)


def test_accepted_samples_are_not_drawn_again():
    # The first draw of a generator is kept wherever its union is within the limits.
    settings = replace(PAPER, minimum_share=0.05)
    first = _draw_cubes(300, (32, 32), settings=settings, generator=generator(4))
    accepted = (_union_voxels(first) >= np.ceil(0.05 * 1024)).numpy() & (_union_voxels(first) <= 256).numpy()
    kept = _covered(first, [torch.arange(32)] * 2).numpy()
    regions = regions_of("multi_cube", (32, 32), batch_size=300, settings=settings, seed=4)
    assert 0 < (~accepted).sum() < 150
    assert np.array_equal(regions[accepted], kept[accepted])
    assert not np.array_equal(regions[~accepted], kept[~accepted])


@pytest.mark.parametrize("grid", [(64, 64), (32, 48), (31, 20)])
def test_half_slice_is_exactly_the_left_or_the_right_half(grid):
    erased = regions_of("half", grid, batch_size=1000)
    left, right = np.zeros(grid, dtype=bool), np.zeros(grid, dtype=bool)
    left[: grid[0] // 2] = True
    right[(grid[0] + 1) // 2 :] = True
    is_left, is_right = ((erased == side).all(axis=(1, 2)) for side in (left, right))
    assert (is_left ^ is_right).all()
    assert stats.binomtest(int(is_left.sum()), 1000).pvalue > 0.001


@pytest.mark.parametrize("grid", [(64, 64, 64), (32, 20, 40), (31, 8, 33)])
def test_half_volume_is_one_half_of_consecutive_axial_slices(grid):
    erased = regions_of("half", grid, batch_size=300)
    for region in erased:
        axial = np.flatnonzero(region.any(axis=(0, 1)))
        sagittal = np.flatnonzero(region.any(axis=(1, 2)))
        expected = np.zeros(grid, dtype=bool)
        half = slice(0, grid[0] // 2) if sagittal[0] == 0 else slice((grid[0] + 1) // 2, None)
        expected[half, :, axial[0] : axial[0] + len(axial)] = True
        assert np.array_equal(region, expected)
        assert 1 <= len(axial) <= 32


def test_half_volume_draws_side_number_and_place_of_slices_uniformly():
    erased = regions_of("half", (4, 1, 64), batch_size=20_000)
    slices = erased.any(axis=(1, 2))
    numbers, first = slices.sum(axis=1), slices.argmax(axis=1)
    is_left = erased[:, 0].any(axis=(1, 2))
    assert stats.chisquare(np.bincount(numbers, minlength=33)[1:]).pvalue > 0.001
    assert stats.binomtest(int(is_left.sum()), len(erased)).pvalue > 0.001
    for number in (1, 7, 32):
        places = np.bincount(first[numbers == number], minlength=65 - number)
        assert len(places) == 65 - number
        assert stats.chisquare(places).pvalue > 0.001
    assert abs(stats.pearsonr(is_left, numbers).statistic) < 4 / np.sqrt(len(erased))


@pytest.mark.parametrize("grid", [(64, 64), (32, 32, 32)])
def test_none_erases_nothing(grid):
    assert not regions_of("none", grid).any()
    scans = draw_scans(4, 1, *grid)
    assert torch.equal(erase(scans, "none", "none", settings=ALWAYS, generator=generator()), scans)


@pytest.mark.parametrize("grid", [(64, 64), (32, 32, 32)])
@pytest.mark.parametrize("strategy", ["cube", "multi_cube"])
def test_every_sample_has_its_own_draw(strategy, grid):
    erased = regions_of(strategy, grid, batch_size=32).reshape(32, -1)
    assert len(np.unique(erased, axis=0)) == 32


@pytest.mark.parametrize("strategy", ["cube", "multi_cube", "half"])
def test_samples_of_a_batch_are_independent(strategy):
    # Pairs of neighbours in a batch overlap as much as pairs from different batches do.
    first, second = (regions_of(strategy, (16, 16, 32), batch_size=2000, seed=seed) for seed in (0, 1))
    within = (first[:-1] & first[1:]).reshape(1999, -1).mean(axis=1)
    between = (first[:-1] & second[1:]).reshape(1999, -1).mean(axis=1)
    assert stats.ttest_ind(within, between).pvalue > 0.001


@pytest.mark.parametrize("grid", [(32, 32), (16, 16, 32)])
@pytest.mark.parametrize("strategy", ERASINGS.kinds())
def test_the_same_seed_gives_the_same_input(strategy, grid):
    scans = draw_scans(8, 1, *grid)
    once, again, other = (
        erase(scans, strategy, "noise", settings=ALWAYS, generator=generator(seed)) for seed in (3, 3, 4)
    )
    assert torch.equal(once, again)
    assert torch.equal(once, other) == (strategy == "none")


def test_global_seed_plays_no_part():
    scans = draw_scans(8, 1, 32, 32)
    results = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        results.append(erase(scans, "multi_cube", "noise", settings=PAPER, generator=generator()))
    assert torch.equal(*results)


@pytest.mark.parametrize("fill", ["zero", "noise"])
@pytest.mark.parametrize("strategy", ERASINGS.kinds())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_target_stays_whole_and_the_input_is_changed_inside_the_region_only(strategy, fill, dtype):
    scans = (draw_scans(16, 1, 16, 20, 32) + 0.001).to(dtype)
    before = scans.clone()
    inputs = erase(scans, strategy, fill, settings=ALWAYS, generator=generator(5))
    regions = draw_regions(strategy, 16, (16, 20, 32), settings=ALWAYS, generator=generator(5)).unsqueeze(1)
    assert torch.equal(scans, before)
    assert inputs.data_ptr() != scans.data_ptr() and inputs.dtype == dtype
    assert torch.equal(inputs[~regions], scans[~regions])
    if fill == "zero":
        assert (inputs[regions] == 0).all()
    elif strategy != "none":
        assert (inputs[regions] != scans[regions]).float().mean() > 0.4


def test_apply_erasing_is_masked_assignment():
    scans, noise = draw_scans(4, 1, 9, 8), draw_scans(4, 1, 9, 8, seed=2)
    regions = torch.rand(4, 9, 8, generator=generator()) < 0.3
    expected = scans.numpy().copy()
    expected[regions.numpy()[:, None]] = noise.numpy()[regions.numpy()[:, None]]
    assert np.array_equal(apply_erasing(scans, regions, noise).numpy(), expected)
    expected[regions.numpy()[:, None]] = 0
    assert np.array_equal(apply_erasing(scans, regions, 0.0).numpy(), expected)


@pytest.mark.parametrize("strategy", ["cube", "multi_cube", "half"])
@pytest.mark.parametrize("probability", [0.5, 0.1])
def test_samples_are_erased_with_the_given_probability(strategy, probability):
    settings = replace(PAPER, probability=probability)
    scans = torch.ones(4000, 1, 8, 16)
    inputs = erase(scans, strategy, "zero", settings=settings, generator=generator())
    erased = (inputs != scans).flatten(1).any(dim=1)
    assert stats.binomtest(int(erased.sum()), 4000, probability).pvalue > 0.001
    neighbours = (erased[1:] & erased[:-1]).sum().item()
    assert stats.binomtest(neighbours, 3999, probability**2).pvalue > 0.0001  # not one coin for the batch


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_probabilities_zero_and_one_are_never_and_always(probability):
    scans = torch.ones(500, 1, 16, 16)
    settings = replace(PAPER, probability=probability)
    inputs = erase(scans, "cube", "zero", settings=settings, generator=generator())
    assert ((inputs != scans).flatten(1).any(dim=1) == bool(probability)).all()


@pytest.mark.parametrize("shape", [(6, 1, 64, 64), (4, 1, 16, 32, 24)])
@pytest.mark.parametrize("source", ["image", "brain"])
def test_noise_is_distributed_as_its_source(source, shape):
    scans = draw_scans(*shape)
    scans[0] *= 0.5
    noise = fill(scans, settings=replace(ALWAYS, noise_from=source), generator=generator())
    for scan, drawn in zip(scans.numpy(), noise.numpy(), strict=True):
        positive_share = (scan > 0).mean() if source == "image" else 1.0
        assert stats.binomtest(int((drawn > 0).sum()), drawn.size, positive_share).pvalue > 0.001
        # Drawn from a finite population with replacement: compare with its own steps, not with a smooth law.
        population = np.sort(scan[scan > 0])
        assert stats.kstest(drawn[drawn > 0], stats.ecdf(population).cdf.evaluate).pvalue > 0.001
        assert np.isin(drawn, np.append(population, 0)).all()


@pytest.mark.parametrize("source", ["image", "brain"])
def test_every_pixel_of_the_source_is_drawn_equally_often(source):
    scans = torch.arange(-20.0, 20).clamp(min=0).repeat(2000, 1).view(2000, 1, 5, 8)  # 21 zeros, 1 … 19
    noise = fill(scans, settings=replace(ALWAYS, noise_from=source), generator=generator()).numpy()
    counts = np.bincount(noise.astype(int).ravel(), minlength=20)
    zeros = 21 / 40 if source == "image" else 0
    expected = noise.size * np.append(zeros, np.full(19, (1 - zeros) / 19))
    kept = expected > 0
    assert (counts[~kept] == 0).all()
    assert stats.chisquare(counts[kept], expected[kept]).pvalue > 0.001


@pytest.mark.parametrize("source", ["image", "brain"])
def test_each_sample_draws_from_its_own_pixels(source):
    scans = draw_scans(5, 1, 16, 16)
    scans = torch.where(scans > 0, scans + torch.arange(5.0).view(5, 1, 1, 1), scans)
    noise = fill(scans, settings=replace(ALWAYS, noise_from=source), generator=generator())
    for sample in range(5):
        assert torch.isin(noise[sample], scans[sample]).all()
        assert (noise[sample] > sample).any()


@pytest.mark.parametrize("source", ["image", "brain"])
def test_samples_with_fewer_brain_pixels_do_not_narrow_the_others(source):
    pixels = torch.arange(1.0, 65).expand(3, 64)
    scans = torch.where(pixels <= torch.tensor([[64.0], [5.0], [33.0]]), pixels, 0).view(3, 1, 8, 8)
    draws = torch.cat(
        [
            fill(scans, settings=replace(ALWAYS, noise_from=source), generator=generator(seed))
            for seed in range(40)
        ],
        dim=1,
    )
    for sample, count in enumerate((64, 5, 33)):
        zero = {0.0} if source == "image" and count < 64 else set()
        assert set(draws[sample].unique().tolist()) == zero | set(range(1, count + 1))


@pytest.mark.parametrize("source", ["image", "brain"])
def test_noise_has_no_structure_in_space(source):
    noise = fill(
        draw_scans(1, 1, 64, 64), settings=replace(ALWAYS, noise_from=source), generator=generator()
    )[0, 0].numpy()
    for shifted in (np.roll(noise, 1, axis=0), np.roll(noise, 1, axis=1)):
        assert abs(np.corrcoef(noise.ravel(), shifted.ravel())[0, 1]) < 4 / 64


@pytest.mark.parametrize("source", ["image", "brain"])
def test_an_empty_slice_gets_zeros(source):
    scans = draw_scans(3, 1, 16, 16)
    scans[1] = 0
    noise = fill(scans, settings=replace(ALWAYS, noise_from=source), generator=generator())
    assert not noise[1].any() and noise[0].any() and noise[2].any()


def test_noise_of_erase_comes_from_the_source_in_the_settings():
    scans = draw_scans(64, 1, 32, 32)
    for source, zero_share in (("image", 0.7), ("brain", 0.0)):
        settings = replace(ALWAYS, noise_from=source)
        inputs = erase(scans, "half", "noise", settings=settings, generator=generator(1))
        erased = draw_regions("half", 64, (32, 32), settings=settings, generator=generator(1)).unsqueeze(1)
        assert (inputs[erased] == 0).float().mean().item() == pytest.approx(zero_share, abs=0.02)


def test_partition_keeps_all_values_and_puts_the_positive_ones_first():
    values = draw_scans(5, 40)
    parted, counts = _partition_positive(values)
    for row, parted_row, count in zip(values.numpy(), parted.numpy(), counts.tolist(), strict=True):
        assert np.array_equal(parted_row[:count], row[row > 0]) and (parted_row[count:] == 0).all()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"probability": 1.5}, "probability is 1.5; expected 0 to 1"),
        ({"minimum_share": 1, "maximum_share": 25}, "fractions, not percent"),
        ({"minimum_share": 0.3}, "minimum_share is 0.3 and maximum_share 0.25"),
        ({"maximum_regions": 0}, "maximum_regions is 0"),
        ({"maximum_slices": 0}, "maximum_slices 0"),
        ({"noise_from": "lesion"}, "noise_from is 'lesion'; expected one of image, brain"),
    ],
)
def test_impossible_settings_are_refused_in_words(change, message):
    with pytest.raises(ValueError, match=message):
        ErasingSettings(**change)


def test_unknown_words_are_refused_with_the_choices():
    scans = draw_scans(2, 1, 8, 8)
    with pytest.raises(
        ValueError, match=r"erasing 'cubes' is not known; expected one of cube, half, multi_cube"
    ):
        erase(scans, "cubes", "zero", settings=PAPER, generator=generator())
    with pytest.raises(ValueError, match="fill '0' is not known; expected one of noise, zero"):
        erase(scans, "cube", "0", settings=PAPER, generator=generator())


def test_more_slices_than_the_grid_has_are_refused():
    with pytest.raises(ValueError, match=r"maximum_slices is 32.*only 16 axial slices.*to 8"):
        regions_of("half", (16, 16, 16))


def test_limits_that_no_box_can_meet_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 2\).*0.01 to 0.2"):
        regions_of("cube", (2, 2), settings=ErasingSettings(maximum_share=0.2))


def test_a_grid_without_channel_axis_is_refused():
    with pytest.raises(ValueError, match=r"grid is \(8,\)"):
        erase(draw_scans(2, 8, 8), "cube", "zero", settings=PAPER, generator=generator())

"""Grids with names: every image once, in its own row."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.evaluation.labelled import by_name, classes_grid, inpainted_grid, labelled_grid

NAMES = ("Shirt", "Bag", "Coat")


@given(st.lists(st.sampled_from((*NAMES, "other")), min_size=1, max_size=40))
def test_every_row_comes_once_below_its_name_in_the_order_of_classes(names):
    groups = by_name(torch.arange(len(names)), names, NAMES)
    assert sorted(int(i) for _, rows in groups for i in rows) == list(range(len(names)))
    assert all(names[i] == name for name, rows in groups for i in rows.tolist())
    assert [name for name, _ in groups] == [name for name in (*NAMES, "other") if name in names]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 5), st.integers(1, 2))
def test_every_group_begins_a_row_and_images_stand_in_line(sizes, columns, scale):
    groups = [(f"name {i}", torch.zeros(n, 1, 8, 8, dtype=torch.uint8)) for i, n in enumerate(sizes)]
    rows = sum(-(-n // columns) for n in sizes)
    picture = labelled_grid(groups, columns, scale)
    assert picture.height == max(13, (rows * 10 + 2) * scale)
    dark = torch.frombuffer(bytearray(picture.crop((picture.width - (columns * 10 + 2) * scale, 0,
        picture.width, picture.height)).tobytes()), dtype=torch.uint8) == 0  # fmt: skip
    assert int(dark.sum()) == sum(sizes) * 64 * scale**2


def test_colours_stay_and_long_classes_wrap():
    x = torch.rand(40, 3, 8, 8)
    picture = classes_grid(x, ["Bag"] * 35 + ["Coat"] * 5, (0.0, 1.0), NAMES)
    assert picture.mode == "RGB" and picture.height == 2 * ((3 + 1) * 10 + 2)


def test_what_was_given_is_shown_with_the_free_pixels_grey():
    mask = torch.zeros(1, 8, 8, dtype=torch.bool)
    mask[:, :4] = True
    picture = inpainted_grid(torch.ones(3, 1, 8, 8), torch.zeros(3, 1, 8, 8), mask, (0.0, 1.0))
    across = picture.width - 10  # within the last image of each band
    assert [picture.getpixel((across, down)) for down in (8, 16, 28, 48)] == [0, 128, 255, 0]

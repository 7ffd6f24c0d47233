"""The rows of a table come back as the file has them, in one part or the other; what is wrong is named by its place."""

from pathlib import Path

import pytest
import torch

import ebmkit

PEOPLE = Path(__file__).parent / "people.csv"


def table(path: Path = PEOPLE, **settings):
    return ebmkit.build("dataset", "csv", path=str(path), **{"label": "group", **settings})


def rows_of(part) -> torch.Tensor:
    return part.batch(torch.arange(len(part)), torch.Generator()).x * part.sd + part.mean


def test_every_row_is_in_one_part_and_comes_back() -> None:
    train, test = table(), table().split("test")
    assert (len(train), len(test), train.columns) == (48, 12, ("height_cm", "weight_kg", "age"))
    lines = [[float(cell) for cell in line.split(",")[:3]] for line in PEOPLE.read_text().splitlines()[1:]]
    found = torch.cat([rows_of(train), rows_of(test)]).round(decimals=1).tolist()
    torch.testing.assert_close(torch.tensor(sorted(found)), torch.tensor(sorted(lines)))


def test_the_training_part_is_standardised_and_the_test_part_by_the_same_numbers() -> None:
    train, test = table(), table().split("test")
    x = train.batch(torch.arange(48), torch.Generator()).x
    torch.testing.assert_close(x.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(0), torch.ones(3), atol=1e-5, rtol=0)
    assert torch.equal(train.mean, test.mean) and torch.equal(train.sd, test.sd)


def test_columns_are_taken_in_the_order_in_which_they_are_named() -> None:
    assert table(columns=["age", "height_cm"]).columns == ("age", "height_cm")
    assert (
        table().class_names == ("a", "b") and table().batch(torch.arange(4), torch.Generator()).y.dtype == torch.int64
    )


@pytest.mark.parametrize(
    ("text", "settings", "said"),
    [
        ("a,b\n1,2\n3,x\n", {}, "line 3, column b: 'x' is no number"),
        ("a,b\n1,2\n3\n", {}, "line 3: 1 cells, and 2 columns"),
        ("a,b\n1,2\n3,nan\n", {}, "line 3, column b: 'nan' is no number"),
        ("a,b\n1,2\n3,4\n", {"label": "c"}, "no column c. Its first line names: a, b"),
        ("a,a\n1,2\n3,4\n", {}, "two columns a"),
        ("a,b\n1,2\n1,4\n", {"test_fraction": 0.0}, "column a always holds the same number"),
        ("a,b\n1,2\n", {}, "at least 2 are needed"),
        ("", {}, "no x. Its first line names: nothing"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(text: str, settings: dict, said: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.csv").write_text(text)
    with pytest.raises(ebmkit.DataError, match=said):
        table(tmp_path / "wrong.csv", **{"label": "", **settings})


def test_no_file_is_said() -> None:
    with pytest.raises(ebmkit.DataError, match="which file"):
        ebmkit.build("dataset", "csv")
    with pytest.raises(ebmkit.DataError, match="cannot be read"):
        table(Path("nowhere.csv"))

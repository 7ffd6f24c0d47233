from pathlib import Path

from ebmkit.testing import conformance

PEOPLE = str(Path(__file__).parent / "people.csv")

test_conforms = conformance("ebmkit-csv", settings={"csv": {"path": PEOPLE, "label": "group"}})

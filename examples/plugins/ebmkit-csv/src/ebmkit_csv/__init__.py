"""Tables of numbers in CSV files, as data of ebmkit."""

from ebmkit_csv.declarations import CsvConfig as Csv

__all__ = ["Csv"]

"""One self-contained HTML page on one run or several: what they are made of, how they went, what they draw."""

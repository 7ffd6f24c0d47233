"""Charts as inline SVG: plain functions of numbers, which scale to the width that they are given."""

"""Data sets: arrays in files, folders of images, and 2-D densities drawn on the fly."""

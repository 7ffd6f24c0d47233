"""Log Z by annealing: where paths begin, how they go, and both ways along them."""

"""Values that tell data from other data, sets to tell them from, and how well they do."""

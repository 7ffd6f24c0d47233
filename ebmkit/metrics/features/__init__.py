"""Named features of images: what ships, and what a user names."""

"""One training step, and what it keeps. Nothing here touches a disk."""

"""What sampling and training cost here: workloads, each done in several ways, timed in turn in one process."""

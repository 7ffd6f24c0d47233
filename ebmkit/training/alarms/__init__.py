"""Alarms: signs that a run goes wrong, what each means, and what to change."""

"""Who looks at a run while it goes: alarms, observers, evaluations in training; and going back."""

"""How a view's passes are run: one after another, compiled, captured, in chunks of rows."""

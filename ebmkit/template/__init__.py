"""The package that `ebmkit new-plugin` writes, and how it is kept up to date. Imports no torch.

`files/` is a template of Copier: `copier.yml` says what it asks, `project/` is the package, and `kinds/` holds what
each kind of part has of its own.
"""

"""The command line `ebmkit`. Nothing here is imported by the rest of the house."""

"""Export a measured variant: its files, a script and a model card. It may use `report` and the rooms below it."""

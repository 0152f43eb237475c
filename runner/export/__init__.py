"""A measured variant, ready to serve: its files, a script, a card. It may use `report` and the rooms below it."""

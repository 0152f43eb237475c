"""Charts as plain Plotly figures (dicts of data and layout). Colours and sizes of text are set by the page."""

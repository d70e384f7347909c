"""The pages, a module for each part of the navigation. `callsieve/web/app.py` has the list."""

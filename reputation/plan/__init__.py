"""The numbering plans of countries as dated data in one file per country, and the search for a number's row."""

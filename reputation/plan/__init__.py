"""The numbering plans of countries as dated data: one file for each country, and one look-up."""

"""The numbering plans of countries as dated data in one file per country, and a look-up."""

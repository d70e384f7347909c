"""The numbering plans of countries as dated data, with a file per country, and a look-up."""

"""The numbering plans of countries as dated data: a file a country, and one look-up."""

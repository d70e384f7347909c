"""The laws on calls that companies make, when, how often and to whom, as dated data: one file for each country."""

"""Laws on the calls that companies make, as dated data, one file per country: hours, limits and protected people."""

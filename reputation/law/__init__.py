"""Laws on calls that companies make, as dated data, with a file per country: hours, limits and protected people."""

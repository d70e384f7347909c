"""Laws on calls that companies make, as dated data in one file per country: hours, limits and protected people."""

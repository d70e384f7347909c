"""One value per table of the store: what is true of its rows is declared here once (`every.TABLES` has all)."""

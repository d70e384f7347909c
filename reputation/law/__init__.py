"""When, how often and whom the law lets a company call, as dated data: a file a country."""

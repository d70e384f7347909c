"""The families of evidence. A function for each family returns its bounded log-odds and the counts behind them."""

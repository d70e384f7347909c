"""The families of evidence. Each family has a function that returns its bounded log-odds and the counts behind them."""

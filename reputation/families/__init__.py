"""The families of evidence. Each is a function that returns bounded log-odds and the counts behind them."""

"""The families of evidence. Each family is a function that returns bounded log-odds and the counts behind them."""
